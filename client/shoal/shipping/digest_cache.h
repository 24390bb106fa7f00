// SHA-256 of files, remembered: in this program, and in a file for the next ones.
//
// A file is the same as before if device, inode, size, and both times of change are; one that was
// changed less than two seconds before it was read is not remembered, since a second change could
// leave its times as they are.
//
// Ownership:     one for the program.
// Thread-safety: thread-safe.
// Blocking:      reads the whole file the first time.
// Errors:        errno of the file, with its path. A cache that cannot be read or written is none.
#ifndef SHOAL_CLIENT_SHOAL_SHIPPING_DIGEST_CACHE_H_
#define SHOAL_CLIENT_SHOAL_SHIPPING_DIGEST_CACHE_H_

#include <sys/stat.h>

#include <map>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"

namespace shoal {

class DigestCache {
 public:
  // $XDG_CACHE_HOME/shoal/digests, else ~/.cache/shoal/digests.
  static DigestCache& Get();
  // Empty: in memory only.
  explicit DigestCache(std::string path) : path_(std::move(path)) {}

  // The digest of the open file `fd`, called `name` in messages.
  absl::StatusOr<std::string> DigestOf(int fd, const std::string& name);
  // What is known of `fd` was wrong.
  void Forget(int fd);

 private:
  static std::string KeyOf(const struct stat& facts);
  void Insert(const std::string& key, std::string hex) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Load() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Save() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::string path_;

  Mutex mu_;
  bool loaded_ ABSL_GUARDED_BY(mu_) = false;
  std::map<std::string, std::string> digests_ ABSL_GUARDED_BY(mu_);  // by key, in hexadecimal
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_SHIPPING_DIGEST_CACHE_H_
