// What tells a blob that is whole from a file that was written to: its modification time is a second of
// 2001 to 2004, another at each boot.
//
// Ownership:     a value.
// Thread-safety: as a plain value.
// Blocking:      Put() writes to the disk; the rest never blocks.
// Errors:        none: a seal that could not be put is missed later.
#ifndef SHOAL_AGENT_OS_BLOB_SEAL_H_
#define SHOAL_AGENT_OS_BLOB_SEAL_H_

#include <sys/stat.h>
#include <time.h>

#include <string>

#include "absl/time/time.h"

namespace shoal::agent {

class BlobSeal {
 public:
  explicit BlobSeal(const std::string& boot_id);

  // Of this boot or of another.
  static bool IsSome(const struct stat& facts);
  // Of this boot, on a regular file.
  bool IsOn(const struct stat& facts) const;
  // Writes it, and the last use.
  void Put(int fd, absl::Time last_use) const;

 private:
  const timespec time_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_BLOB_SEAL_H_
