#include "agent/log/audit_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr size_t kMaxWriteBytes = 1 << 20;

}  // namespace

absl::Status AuditFile::Open() {
  // Never a link: what is appended must not reach another file.
  SHOAL_ASSIGN_OR_RETURN(
      UniqueFd fd, OpenAt(AT_FDCWD, path_,
                          O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600));
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return ErrnoStatus(errno, "fstat " + path_);
  if (!S_ISREG(status.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path_, " is not a file"));
  }
  char last = '\n';
  if (status.st_size > 0 && pread(fd.get(), &last, 1, status.st_size - 1) == 1 && last != '\n') {
    if (write(fd.get(), "\n", 1) != 1) return ErrnoStatus(errno, "write " + path_);
    ++status.st_size;
  }
  fd_ = std::move(fd);
  size_ = status.st_size;
  return absl::OkStatus();
}

bool AuditFile::IsAtPath() const {
  struct stat open {};
  struct stat there {};
  return fstat(fd_.get(), &open) == 0 && lstat(path_.c_str(), &there) == 0 &&
         open.st_dev == there.st_dev && open.st_ino == there.st_ino;
}

absl::Status AuditFile::MaybeRotate() {
  if (size_ < rotate_bytes_) return absl::OkStatus();
  for (int i = kept_; i > 0; --i) {
    const std::string from = i == 1 ? path_ : absl::StrCat(path_, ".", i - 1);
    const std::string to = absl::StrCat(path_, ".", i);
    if (rename(from.c_str(), to.c_str()) == 0 || (i > 1 && errno == ENOENT)) continue;
    trouble_ = absl::StrCat("rename ", from, " to ", to, ": ", std::strerror(errno));
    return absl::OkStatus();
  }
  trouble_.clear();
  return Open();
}

absl::Status AuditFile::Append(const std::string& bytes, size_t* done) {
  while (*done < bytes.size()) {
    const ssize_t count = write(fd_.get(), bytes.data() + *done, bytes.size() - *done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return ErrnoStatus(errno, "write " + path_);
    *done += static_cast<size_t>(count);
  }
  return absl::OkStatus();
}

absl::Status AuditFile::Write(const std::vector<std::string>& lines, size_t* written) {
  *written = 0;
  if (!fd_ || !IsAtPath()) SHOAL_RETURN_IF_ERROR(Open());
  struct stat status {};
  if (fstat(fd_.get(), &status) != 0) return ErrnoStatus(errno, "fstat " + path_);
  size_ = status.st_size;
  while (*written < lines.size()) {
    SHOAL_RETURN_IF_ERROR(MaybeRotate());
    std::string bytes;
    size_t taken = *written;
    while (taken < lines.size() && bytes.size() < kMaxWriteBytes) bytes += lines[taken++];
    size_t done = 0;
    const absl::Status appended = Append(bytes, &done);
    size_t whole = 0;
    while (*written < taken && whole + lines[*written].size() <= done) {
      whole += lines[(*written)++].size();
    }
    size_ += static_cast<int64_t>(whole);
    // Best effort: if this fails as well, Open() or the next agent ends the line.
    if (done > whole && ftruncate(fd_.get(), size_) != 0) fd_.Reset();
    SHOAL_RETURN_IF_ERROR(appended);
  }
  return absl::OkStatus();
}

}  // namespace shoal::agent
