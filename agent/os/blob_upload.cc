#include "agent/os/blob_upload.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/os/blob_store.h"
#include "common/failpoint.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr int64_t kHashStepBytes = 4 << 20;
constexpr size_t kBlockBytes = 256 << 10;

std::string NameOf(const std::string& sha256) {
  return absl::StrCat("blob ", DigestToHex(sha256).substr(0, 12));
}

}  // namespace

BlobUpload::BlobUpload(BlobStore* store, std::string sha256, UniqueFd fd, int64_t size_bytes,
                       int64_t received_bytes)
    : store_(store),
      sha256_(std::move(sha256)),
      size_bytes_(size_bytes),
      fd_(std::move(fd)),
      received_bytes_(received_bytes) {}

bool BlobUpload::HashSome() {
  const int64_t end = std::min(received_bytes_, hashed_bytes_ + kHashStepBytes);
  std::string block(kBlockBytes, '\0');
  while (hashed_bytes_ < end) {
    const auto wanted = static_cast<size_t>(std::min<int64_t>(end - hashed_bytes_, kBlockBytes));
    const ssize_t got = pread(fd_.get(), block.data(), wanted, hashed_bytes_);
    if (got <= 0) {  // what cannot be read is as good as never received
      received_bytes_ = hashed_bytes_;
      break;
    }
    hash_.Update({block.data(), static_cast<size_t>(got)});
    hashed_bytes_ += got;
  }
  return hashed_bytes_ < received_bytes_;
}

absl::Status BlobUpload::Write(int64_t offset, absl::string_view data) {
  if (ending_.has_value()) return *ending_;
  if (offset < 0 || offset > received_bytes_) {
    return absl::OutOfRangeError(absl::StrCat("offset ", offset, " of ", NameOf(sha256_),
                                              ": the agent has ", received_bytes_, " bytes"));
  }
  const auto known = static_cast<size_t>(received_bytes_ - offset);
  if (data.size() > static_cast<uint64_t>(size_bytes_ - offset)) {
    return absl::InvalidArgumentError(absl::StrCat(NameOf(sha256_), " was declared with ",
                                                   size_bytes_, " bytes, more have come"));
  }
  if (data.size() > known) SHOAL_RETURN_IF_ERROR(Append(data.substr(known)));
  return received_bytes_ == size_bytes_ ? Finish() : absl::OkStatus();
}

absl::Status BlobUpload::Append(absl::string_view data) {
  SHOAL_RETURN_IF_ERROR(store_->MakeRoom(sha256_, static_cast<int64_t>(data.size())));
  SHOAL_FAILPOINT("blob:before-write");
  while (!data.empty()) {
    const ssize_t put = pwrite(fd_.get(), data.data(), data.size(), received_bytes_);
    if (put < 0) {
      const int error = errno;
      if (error == EINTR) continue;
      if ((error == ENOSPC || error == EDQUOT) && store_->EvictOne(sha256_)) continue;
      return ErrnoStatus(error, absl::StrCat("write of ", NameOf(sha256_)));
    }
    hash_.Update(data.substr(0, static_cast<size_t>(put)));
    data.remove_prefix(static_cast<size_t>(put));
    received_bytes_ += put;
    hashed_bytes_ = received_bytes_;
    store_->NoteReceived(sha256_, received_bytes_);
  }
  SHOAL_FAILPOINT("blob:after-write");
  return absl::OkStatus();
}

absl::Status BlobUpload::Finish() {
  if (hash_.Finish() == sha256_) {
    ending_ = store_->Promote(sha256_, std::move(fd_), size_bytes_);
  } else {
    store_->Discard(sha256_);
    ending_ = absl::DataLossError(
        absl::StrCat("the bytes of ", NameOf(sha256_), " are not those of its digest"));
  }
  return *ending_;
}

}  // namespace shoal::agent
