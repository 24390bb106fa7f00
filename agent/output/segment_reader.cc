#include "agent/output/segment_reader.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
#include "agent/output/output_name.h"
#include "agent/record/record_layout.h"
#include "common/status.h"

namespace shoal::agent {

SegmentReader::SegmentReader(int directory, std::string id, int stream, int64_t segment_bytes)
    : directory_(directory),
      id_(std::move(id)),
      stream_(stream),
      segment_bytes_(segment_bytes > 0 ? segment_bytes : record::kDefaultSegmentBytes) {}

absl::Status SegmentReader::Open(int64_t start) {
  if (segment_ && start_ == start) return absl::OkStatus();
  segment_.Reset();
  SHOAL_ASSIGN_OR_RETURN(
      segment_, OpenAt(directory_, SegmentName(id_, stream_, start), O_RDONLY | O_NOFOLLOW));
  start_ = start;
  return absl::OkStatus();
}

absl::StatusOr<size_t> SegmentReader::Read(int64_t offset, char* buffer, size_t size) {
  if (offset < 0) return absl::OutOfRangeError(absl::StrCat("offset ", offset, " is negative"));
  const int64_t start = offset / segment_bytes_ * segment_bytes_;
  SHOAL_RETURN_IF_ERROR(Open(start));
  const auto left = static_cast<size_t>(start + segment_bytes_ - offset);
  ssize_t got;
  do {
    got = pread(segment_.get(), buffer, std::min(size, left), offset - start);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return ErrnoStatus(errno, absl::StrCat("read output of ", id_));
  return static_cast<size_t>(got);
}

absl::StatusOr<int64_t> SegmentReader::Measure(int64_t offset) {
  const int64_t start = offset / segment_bytes_ * segment_bytes_;
  SHOAL_RETURN_IF_ERROR(Open(start));
  struct stat facts {};
  if (fstat(segment_.get(), &facts) != 0) {
    return ErrnoStatus(errno, absl::StrCat("fstat output of ", id_));
  }
  return start + std::min<int64_t>(facts.st_size, segment_bytes_) - offset;
}

}  // namespace shoal::agent
