// That a client has the bytes of a digest: it sends them all, from the first on.
//
// Ownership:     plain data.
// Thread-safety: single-threaded.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_OS_BLOB_PROOF_H_
#define SHOAL_AGENT_OS_BLOB_PROOF_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "common/sha256.h"

namespace shoal::agent {

class BlobProof {
 public:
  BlobProof(std::string sha256, int64_t size_bytes)
      : sha256_(std::move(sha256)), left_bytes_(size_bytes) {}

  // The next bytes; false: more than there should be.
  bool Take(absl::string_view data) {
    if (data.size() > static_cast<uint64_t>(left_bytes_)) return false;
    hash_.Update(data);
    left_bytes_ -= static_cast<int64_t>(data.size());
    return true;
  }

  bool is_whole() const { return left_bytes_ == 0; }
  // REQUIRES: is_whole(). Once.
  bool IsRight() { return hash_.Finish() == sha256_; }

 private:
  const std::string sha256_;
  int64_t left_bytes_;
  Sha256 hash_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_BLOB_PROOF_H_
