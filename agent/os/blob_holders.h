// Which identities have sent the bytes of which blobs, in one directory: <directory>/HEX has a name
// a line. A digest alone is no key: a blob is there for those alone that have sent it.
//
// Ownership:     owns the directory's descriptor.
// Thread-safety: Holds and IsAll on any thread; everything else on the one thread of disk work.
// Blocking:      on the disk; Holds and IsAll never block.
// Errors:        what cannot be stored is forgotten with the agent: its holder sends the blob again.
#ifndef SHOAL_AGENT_OS_BLOB_HOLDERS_H_
#define SHOAL_AGENT_OS_BLOB_HOLDERS_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "common/unique_fd.h"

namespace shoal::agent {

class BlobHolders {
 public:
  // Whether the caller may use what this identity has sent; for "", the name of no identity: whether the
  // caller may act for every one.
  using IsCallers = absl::FunctionRef<bool(absl::string_view identity)>;

  // Makes the directory (0700) where it is missing. What it knows of digests that `is_there` denies goes.
  static absl::StatusOr<std::unique_ptr<BlobHolders>> Open(
      const std::string& path, absl::FunctionRef<bool(const std::string& sha256)> is_there);

  bool Holds(const std::string& sha256, IsCallers is_callers) const;
  // Whether all that are known of it are the caller's, and there is one.
  bool IsAll(const std::string& sha256, IsCallers is_callers) const;

  // Of more than 256 to a blob the oldest goes.
  void Add(const std::string& sha256, const std::string& identity);
  void Forget(const std::string& sha256);

 private:
  explicit BlobHolders(UniqueFd directory) : directory_(std::move(directory)) {}
  void Store(const std::string& sha256, const std::vector<std::string>& identities) const;

  const UniqueFd directory_;
  mutable Mutex mu_;
  std::map<std::string, std::vector<std::string>> by_blob_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_BLOB_HOLDERS_H_
