// Files by what is in them: <state>/blobs/complete/HEX and <state>/blobs/partial/HEX, where HEX is
// the SHA-256 of the bytes.
//
// Holders: <state>/blobs/holders/HEX has the identities that have sent the whole of a blob, for whom
// alone it is there; <state>/blobs/writers/HEX those that have sent some of a partial one. Where that is
// one identity alone it may go on where it was; another one sends the blob from its first byte.
//
// The seal: a complete blob has as its modification time one that belongs to this boot, and was last
// changed (ctime, which nobody can set) when this store did that itself. A write to the file (a hard
// link of it stands beside a process) breaks the seal, also if the process puts the times back, and
// so does a boot, before which a power failure may have emptied it. A blob without a seal is a
// partial blob again: it is hashed once more when a client says that it has it, and never served
// before. What a store finds when it is opened it hashes before it serves it.
//
// Eviction: beyond the cap the blob goes whose last use is longest ago (its access time, written
// here). One that was used, or said to be there, less than `keep_after_use` ago stays, since a
// process is about to be started with it; so does one that has hard links beside processes, which
// would free nothing. When no blob may go, a partial blob does that has no writer, or an idle one. Room
// is made for what is received, not for what is declared.
//
// Ownership:     owns the directories' descriptors; uploads belong to their writers.
// Thread-safety: Has and holders() on any thread; everything else on the one thread of disk work.
// Blocking:      on the disk; Has never blocks.
// Errors:        RESOURCE_EXHAUSTED no room, or the disk is full; else as errno says.
#ifndef SHOAL_AGENT_OS_BLOB_STORE_H_
#define SHOAL_AGENT_OS_BLOB_STORE_H_

#include <sys/stat.h>
#include <time.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/core/ports/clock.h"
#include "agent/os/blob_holders.h"
#include "agent/os/blob_seal.h"
#include "common/mutex.h"
#include "common/unique_fd.h"

namespace shoal::agent {

class BlobUpload;

struct BlobStoreOptions {
  int64_t cap_bytes = int64_t{8} << 30;
  std::string boot_id;
  absl::Duration keep_after_use = absl::Minutes(1);
  absl::Duration keep_partial = absl::Hours(24);
  // An upload of which nothing was received for so long may be ended to make room.
  absl::Duration keep_idle = absl::Minutes(1);
};

class BlobStore {
 public:
  // Makes the directories (0700) where they are missing, and looks through them: names that are no
  // digests go, and partial blobs that are too old.
  static absl::StatusOr<std::unique_ptr<BlobStore>> Open(const std::string& state_dir,
                                                         BlobStoreOptions options, Clock* clock);
  ~BlobStore();

  // Whether the blob is there for the caller, as far as is known without the disk. Counts as a use.
  bool Has(const std::string& sha256, BlobHolders::IsCallers is_callers);

  // nullopt: it is there and whole, which counts as a use. Else how much of it is, for the caller.
  std::optional<int64_t> FindMissing(const std::string& sha256, BlobHolders::IsCallers is_callers);

  // Of complete blobs, and of partial ones.
  BlobHolders* holders() { return holders_.get(); }
  BlobHolders* writers() { return writers_.get(); }

  struct Opened {
    UniqueFd fd;
    int64_t size_bytes = 0;
  };
  // For reading; counts as a use. NOT_FOUND: it is not there, or has lost its seal.
  absl::StatusOr<Opened> OpenBlob(const std::string& sha256);

  // Calls `remove`, which removes hard links of blobs: that changes them, too.
  void WhileLinksGo(absl::FunctionRef<void()> remove);

  // A hard link of an opened blob, executable or not. The errno of what failed, or 0.
  int Link(const std::string& sha256, const Opened& blob, bool executable, int directory,
           const std::string& name);

  // Joins the upload of this blob, or begins one; nullptr: the blob is complete.
  // RESOURCE_EXHAUSTED: larger than the store may become.
  // INVALID_ARGUMENT: another writer uploads it with another size.
  absl::StatusOr<std::shared_ptr<BlobUpload>> BeginUpload(const std::string& sha256,
                                                          int64_t size_bytes);

 private:
  friend class BlobUpload;
  struct Blob {
    int64_t size_bytes = 0;
    absl::Time last_use;
    std::optional<timespec> change_time;  // as left by this store; absent: not looked into yet
  };
  struct Partial {
    int64_t received_bytes = 0;
    absl::Time last_write;
    std::weak_ptr<BlobUpload> upload;
  };

  BlobStore(BlobStoreOptions options, Clock* clock);
  absl::Status OpenDirectories(const std::string& state_dir);
  absl::Status OpenHolders(const std::string& state_dir);
  void ScanComplete();
  void ScanPartial();

  // By the time of its last change; hashes it the first time.
  bool IsUnchanged(const std::string& sha256, int fd, const struct stat& facts);
  // This store has changed it: takes the time of that, unless somebody has written to it.
  void NoteChange(const std::string& sha256, const struct stat& facts);
  // The file in the directory of partial blobs becomes one that can be written to, with a time that
  // is its own.
  void MakePartial(const std::string& name, struct stat* facts) const;
  absl::StatusOr<UniqueFd> OpenPartial(const std::string& name) const;
  // What was complete is a partial blob again.
  void Demote(const std::string& sha256, const struct stat& facts);
  void NoteUse(const std::string& sha256, int fd, const struct stat& facts);
  // FindMissing for a caller that holds every blob.
  std::optional<int64_t> LookFor(const std::string& sha256);
  bool IsComplete(const std::string& sha256) const;

  int64_t UsedBytes() const;
  // Makes room for that blob: removes the one used longest ago that may go, or else the partial one
  // written longest ago that has no writer now. False if there is neither.
  bool EvictOne(const std::string& sha256);
  bool EvictBlob();
  bool EvictPartial(const std::string& but);
  // For so many bytes more of that blob.
  absl::Status MakeRoom(const std::string& sha256, int64_t bytes);
  void DropOldPartials();

  // For BlobUpload: what it has received; it is whole and has its digest; it has not.
  void NoteReceived(const std::string& sha256, int64_t received_bytes);
  absl::Status Promote(const std::string& sha256, UniqueFd fd, int64_t size_bytes);
  void Discard(const std::string& sha256);

  // Constant after Open.
  const BlobStoreOptions options_;
  Clock* const clock_;
  const BlobSeal seal_;
  UniqueFd complete_directory_;
  UniqueFd partial_directory_;
  std::unique_ptr<BlobHolders> holders_;
  std::unique_ptr<BlobHolders> writers_;

  std::map<std::string, Partial> partial_;  // thread of disk work only

  mutable Mutex mu_;
  std::map<std::string, Blob> complete_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_BLOB_STORE_H_
