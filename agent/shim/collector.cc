#include "agent/shim/collector.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "agent/record/cut_rows.h"

namespace shoal::shim {
namespace {

constexpr int64_t kRowPause = 10 * kMillisecond;
constexpr int64_t kReservePart = 8;  // of the disk
constexpr int64_t kMaxReserve = int64_t{64} << 20;
// The pause between rows doubles with each of these many (6 MiB): a daemon that writes for a year
// has an index of 80 MiB, not of a gigabyte.
constexpr int kRowsPerPauseLog2 = 18;
constexpr int64_t kMostOfTerminal = 1 << 20;  // more than the kernel holds of one

// What was read of the terminal, of which a process has one at most, and is still to be written. Not a member: the
// pages of a shim that its processes do not touch are not copied at each clone.
char holding[4096];

}  // namespace

TimeIndex::~TimeIndex() {
  if (fd_ >= 0) close(fd_);
}

void TimeIndex::Begin(const char* id, int64_t began_ns) {
  id_ = id;
  for (int64_t& newest : newest_ns_) newest = began_ns;
}

void TimeIndex::Note(int stream, int64_t offset, int64_t time_ns) {
  const int64_t pause = kRowPause << Earlier(rows_ >> kRowsPerPauseLog2, 30);
  const int64_t age = time_ns - newest_ns_[stream];
  if (age >= 0 && age < pause) return;  // negative: the wall clock was set back
  if (Write(static_cast<uint64_t>(stream), offset, time_ns)) newest_ns_[stream] = time_ns;
}

void TimeIndex::NoteCut(int stream, int64_t from, int64_t to) {
  const int64_t now = WallNow();
  const auto number = static_cast<uint64_t>(stream);
  if (Write(record::kCutFrom | number, from, now)) Write(record::kCutTo | number, to, now);
}

bool TimeIndex::Open() {
  if (fd_ >= 0) return true;
  char name[32];
  snprintf(name, sizeof(name), "%.16s.idx", id_);
  fd_ = openat(record::kOutputFd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  return fd_ >= 0;
}

bool TimeIndex::Write(uint64_t stream, int64_t offset, int64_t time_ns) {
  if (!Open()) return false;
  const record::IndexRow row = {stream, offset, time_ns};
  const auto at = static_cast<off_t>(sizeof(row)) * rows_;
  if (pwrite(fd_, &row, sizeof(row), at) != sizeof(row)) return false;
  ++rows_;
  return true;
}

const char* Collector::SegmentName(int64_t start) {
  const auto digits = static_cast<unsigned long long>(start);
  snprintf(name_, sizeof(name_), "%.16s.%d.%016llx", id_, number_, digits);
  return name_;
}

int Collector::OpenPipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  pipe_ = ends[0];
  return ends[1];
}

bool Collector::Move(const OutputLimits& limits) {
  const int64_t before = state_->end;
  blocked_ = false;
  retry_at_ = 0;
  int64_t room = Room(limits);
  if (rest_ >= 0) room = Earlier(rest_, limits.segment_bytes - before % limits.segment_bytes);
  if (room <= 0) {
    blocked_ = true;
    return false;
  }
  const int64_t read_ns = WallNow();
  ssize_t moved = -1;
  if (!OpenSegment(limits.segment_bytes)) {
    // errno tells why.
  } else if (!HasReserve()) {
    errno = ENOSPC;
  } else {
    NoteCut();
    moved = Transfer(before - file_start_, static_cast<size_t>(room));
    const bool is_nothing_there = moved < 0 && (errno == EAGAIN || errno == EINTR);
    // Of a terminal whose tree is empty only another program can still have it open.
    if (moved == 0 || (is_nothing_there && is_terminal_ && rest_ >= 0)) Close();
    if (is_nothing_there) return false;
  }
  if (moved < 0) {
    error_ = errno;
    // A full disk is a cap that came early: what may go makes room.
    const bool full = error_ == ENOSPC || error_ == EDQUOT;
    if (full && FreeOldest(limits)) return Move(limits);
    retry_at_ = BootNow() + kRetryPause;
  }
  if (moved <= 0) return false;
  state_->end += moved;
  if (rest_ >= 0) rest_ -= moved;
  if (rest_ == 0) Close();
  index_->Note(number_, before, read_ns);
  return true;
}

// Before anything is written behind it: until then what was cut away is known by the length of the file.
void Collector::NoteCut() {
  struct stat facts {};
  if (fstat(file_, &facts) != 0) return;
  const int64_t end = file_start_ + facts.st_size;
  if (end < state_->end) index_->NoteCut(number_, end, state_->end);
}

ssize_t Collector::Transfer(int64_t at, size_t room) {
  loff_t to = at;
  if (!is_terminal_) {
    return splice(pipe_, nullptr, file_, &to, room, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  }
  if (held_ == 0) {
    const ssize_t got = read(pipe_, holding, sizeof(holding));
    if (got < 0 && errno == EIO) return 0;  // no program has it open any more
    if (got <= 0) return got;
    held_ = static_cast<size_t>(got);
    held_from_ = 0;
  }
  const ssize_t written = pwrite(file_, holding + held_from_, room < held_ ? room : held_, at);
  if (written > 0) {
    held_from_ += static_cast<size_t>(written);
    held_ -= static_cast<size_t>(written);
  }
  return written;
}

void Collector::TakeRest() {
  if (pipe_ < 0 || rest_ >= 0) return;
  int bytes = 0;
  rest_ = ioctl(pipe_, FIONREAD, &bytes) == 0 ? bytes : 0;
  if (is_terminal_) rest_ = kMostOfTerminal;  // up to its end-of-file
  blocked_ = false;
  if (rest_ == 0) Close();
}

// How many bytes may go into the segment that `end` is in: more than none unless the stream is at
// its cap.
int64_t Collector::Room(const OutputLimits& limits) {
  while (state_->end - state_->begin >= limits.cap_bytes && FreeOldest(limits)) {
  }
  const int64_t in_segment = limits.segment_bytes - state_->end % limits.segment_bytes;
  return Earlier(in_segment, limits.cap_bytes - (state_->end - state_->begin));
}

// Removes the oldest segment if it is full and may go.
bool Collector::FreeOldest(const OutputLimits& limits) {
  const int64_t next = state_->begin + limits.segment_bytes;
  if (next > state_->end || (!limits.drop_oldest && limits.acknowledged < next)) return false;
  if (file_ >= 0 && file_start_ == state_->begin) CloseSegment();
  // The record says so only afterwards; a reader that finds no file reads the record again.
  unlinkat(record::kOutputFd, SegmentName(state_->begin), 0);
  state_->begin = next;
  dropped_ = true;
  return true;
}

bool Collector::OpenSegment(int64_t segment_bytes) {
  const int64_t start = state_->end - state_->end % segment_bytes;
  if (file_ >= 0 && file_start_ == start) return true;
  CloseSegment();
  file_ = openat(record::kOutputFd, SegmentName(start), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                 0600);
  file_start_ = start;
  return file_ >= 0;
}

// The last of the disk is for the agent: it must be able to note starts, ends and what was asked for
// when output has filled the rest.
bool Collector::HasReserve() const {
  struct statfs disk {};
  if (fstatfs(file_, &disk) != 0) return true;
  const auto block = static_cast<int64_t>(disk.f_bsize);
  const int64_t part = static_cast<int64_t>(disk.f_blocks) * block / kReservePart;
  return static_cast<int64_t>(disk.f_bavail) * block >= Earlier(part, kMaxReserve);
}

void Collector::CloseSegment() {
  if (file_ >= 0) close(file_);
  file_ = -1;
}

void Collector::Close() {
  if (pipe_ >= 0) close(pipe_);
  pipe_ = -1;
  blocked_ = false;
  retry_at_ = 0;
  CloseSegment();
}

}  // namespace shoal::shim
