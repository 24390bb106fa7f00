#include "agent/os/report_fifo.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr int kWantedBytes = 1 << 20;  // /proc/sys/fs/pipe-max-size for users; 65,536 reports
constexpr size_t kReportsPerRead = 4096;

}  // namespace

ReportFifo::ReportFifo(UniqueFd fd, size_t capacity)
    : fd_(std::move(fd)), capacity_bytes_(capacity) {}

absl::StatusOr<std::unique_ptr<ReportFifo>> ReportFifo::Open(const std::string& run_dir) {
  const std::string path = absl::StrCat(run_dir, "/reports");
  if (mkfifo(path.c_str(), 0600) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, absl::StrCat("mkfifo ", path));
  }
  // Read-write, so that it is never at end of file and opening it does not wait for a writer.
  SHOAL_ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(AT_FDCWD, path, O_RDWR | O_NONBLOCK | O_NOFOLLOW));
  struct stat facts {};
  if (fstat(fd.get(), &facts) != 0) return ErrnoStatus(errno, absl::StrCat("stat ", path));
  if (!S_ISFIFO(facts.st_mode) || facts.st_uid != geteuid()) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is not a FIFO of uid ", geteuid()));
  }
  fcntl(fd.get(), F_SETPIPE_SZ, kWantedBytes);  // Best effort; it is smaller otherwise.
  const int capacity = fcntl(fd.get(), F_GETPIPE_SZ);
  if (capacity < 0) return ErrnoStatus(errno, absl::StrCat("size of ", path));
  return absl::WrapUnique(new ReportFifo(std::move(fd), static_cast<size_t>(capacity)));
}

ReportFifo::Batch ReportFifo::Read() {
  Batch batch;
  int available = 0;
  if (ioctl(fd_.get(), FIONREAD, &available) != 0 || available <= 0) return batch;
  const auto bytes = static_cast<size_t>(available);
  batch.overflowed = bytes + sizeof(record::Report) >= capacity_bytes_;
  buffer_.resize(std::min(kReportsPerRead, bytes / sizeof(record::Report) + 1));
  for (size_t left = bytes; left > 0;) {
    const ssize_t got =
        read(fd_.get(), buffer_.data(), std::min(left, buffer_.size() * sizeof(record::Report)));
    if (got <= 0) break;
    left -= static_cast<size_t>(got);
    const size_t count = static_cast<size_t>(got) / sizeof(record::Report);
    for (size_t i = 0; i < count; ++i) batch.slots.push_back(static_cast<int>(buffer_[i].slot));
  }
  std::sort(batch.slots.begin(), batch.slots.end());
  batch.slots.erase(std::unique(batch.slots.begin(), batch.slots.end()), batch.slots.end());
  return batch;
}

}  // namespace shoal::agent
