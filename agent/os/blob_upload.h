// One blob while it is written, by one client or by several at once.
//
// Each writer sends the bytes from where it began; bytes that a faster writer has sent already are
// passed over, so the file and its hash grow once, in order. Wrong bytes of one writer spoil the
// blob for all: the digest tells at the end, and every writer begins again.
//
// Ownership:     shared by its writers; what was received stays when the last one goes.
// Thread-safety: the one thread of disk work only.
// Blocking:      on the disk, for at most the bytes of one call.
#ifndef SHOAL_AGENT_OS_BLOB_UPLOAD_H_
#define SHOAL_AGENT_OS_BLOB_UPLOAD_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/sha256.h"
#include "common/unique_fd.h"

namespace shoal::agent {

class BlobStore;

class BlobUpload {
 public:
  // By BlobStore::BeginUpload. `received_bytes` are in the file already.
  BlobUpload(BlobStore* store, std::string sha256, UniqueFd fd, int64_t size_bytes,
             int64_t received_bytes);

  int64_t size_bytes() const { return size_bytes_; }
  int64_t received_bytes() const { return received_bytes_; }
  bool is_complete() const { return ending_.has_value() && ending_->ok(); }

  // What was received before this upload is hashed in pieces: true if there is more to do. To be
  // called until it says false, before the first Write.
  bool HashSome();

  // OUT_OF_RANGE: `offset` lies beyond what was received. INVALID_ARGUMENT: more than the size.
  // DATA_LOSS: that was the last byte, and the digest is another; what was written is gone.
  // RESOURCE_EXHAUSTED: the store or the disk is full; what was written stays.
  absl::Status Write(int64_t offset, absl::string_view data);

  // Every further Write answers so.
  void End(const absl::Status& status) { ending_ = status; }

 private:
  absl::Status Append(absl::string_view data);
  absl::Status Finish();

  BlobStore* const store_;
  const std::string sha256_;
  const int64_t size_bytes_;
  UniqueFd fd_;
  Sha256 hash_;
  int64_t hashed_bytes_ = 0;
  int64_t received_bytes_;
  std::optional<absl::Status> ending_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_BLOB_UPLOAD_H_
