#include "agent/shim/feeder.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace shoal::shim {
namespace {

constexpr int64_t kLookPause = 50 * kMillisecond;

// On its way from the ring to the pipe; nothing stays there between two steps.
unsigned char passing[64 << 10];

void NameRing(const char* id, char (&name)[32]) { snprintf(name, sizeof(name), "%.16s.in", id); }

// All of the file now: a disk that fills up later keeps no input out. 0, or why not.
int Preallocate(int file, int64_t size) {
  const int error = posix_fallocate(file, 0, size);
  if (error != EOPNOTSUPP) return error;
  int64_t at = 0;
  while (at < size) {
    const int64_t rest = Earlier(size - at, sizeof(passing));
    const ssize_t written = pwrite(file, passing, static_cast<size_t>(rest), at);
    if (written <= 0) return errno;
    at += written;
  }
  return 0;
}

}  // namespace

int Feeder::MakeRing(int64_t window) {
  char name[32];
  NameRing(half_->prefix.id, name);
  ring_ = openat(record::kOutputFd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (ring_ < 0) return errno;
  window_ = window;
  const int error = Preallocate(ring_, window);
  if (error != 0) RemoveRing();
  return error;
}

void Feeder::RemoveRing() {
  if (ring_ < 0) return;
  close(ring_);
  ring_ = -1;
  char name[32];
  NameRing(half_->prefix.id, name);
  unlinkat(record::kOutputFd, name, 0);
}

int Feeder::Open(int64_t window) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  const int error = Take(ends[1], window);
  if (error == 0) return ends[0];
  close(ends[0]);
  errno = error;
  return -1;
}

int Feeder::Take(int write_end, int64_t window) {
  // Of this end alone: the reader's is another open file.
  const int flags = fcntl(write_end, F_GETFL) | O_NONBLOCK;
  const int error = fcntl(write_end, F_SETFL, flags) == 0 ? MakeRing(window) : errno;
  if (error != 0) {
    close(write_end);
    return error;
  }
  pipe_ = write_end;
  return 0;
}

int Feeder::TakeTerminal(const Terminal* terminal, int64_t window) {
  const int side = terminal->Duplicate();
  if (side < 0) return errno;
  terminal_ = terminal;
  return Take(side, window);
}

Feeder::News Feeder::Step(short events, const record::AgentHalf& wish, int64_t now) {
  if (pipe_ < 0) return News::kNone;
  if ((events & (POLLERR | POLLHUP)) != 0) return Close();
  if ((events & POLLOUT) != 0) is_full_ = false;
  if (now >= retry_at_) retry_at_ = kNever;
  News news = is_done() || is_full_ || retry_at_ != kNever ? News::kNone : Feed(wish, now);
  const bool is_watched = (wish.flags & record::kWatchInput) != 0;
  if (pipe_ < 0 || !is_watched || half_->input_taken >= half_->input_fed) {
    look_at_ = kNever;
  } else if (look_at_ == kNever || now >= look_at_) {
    if (Look() == News::kChanged) news = News::kChanged;
    look_at_ = half_->input_taken < half_->input_fed ? now + kLookPause : kNever;
  }
  return news;
}

Feeder::News Feeder::Feed(const record::AgentHalf& wish, int64_t now) {
  News news = News::kNone;
  while (half_->input_fed < wish.input_end && !is_full_) {
    const int64_t at = half_->input_fed % window_;
    int64_t size = Earlier(wish.input_end - half_->input_fed, window_ - at);
    size = Earlier(size, sizeof(passing));
    const ssize_t got = pread(ring_, passing, static_cast<size_t>(size), at);
    if (got <= 0) {
      retry_at_ = now + kRetryPause;
      return news;
    }
    const ssize_t fed = write(pipe_, passing, static_cast<size_t>(got));
    if (fed < 0 && (errno == EPIPE || errno == EIO)) return Close();
    is_full_ = fed < got;
    if (fed <= 0) break;
    half_->input_fed += fed;
    last_ = passing[fed - 1];
    if (terminal_ != nullptr) half_->input_taken = half_->input_fed;
    news = News::kMoved;
  }
  if ((wish.flags & record::kInputEnded) == 0) {
    if ((half_->flags & record::kInputEndRefused) == 0) return news;
    // Told, since the agent asks for no other end before.
    half_->flags &= ~static_cast<uint32_t>(record::kInputEndRefused);
    return News::kChanged;
  }
  if (half_->input_fed < wish.input_end || (half_->flags & record::kInputEndRefused) != 0)
    return news;
  return End();
}

Feeder::News Feeder::End() {
  if (terminal_ == nullptr) {
    ClosePipe();
  } else {
    char end_of_file = 0;
    if (!terminal_->FindEnd(&end_of_file)) {
      half_->flags |= record::kInputEndRefused;
      return News::kChanged;
    }
    // Behind an unfinished line the first one only hands that over.
    if (ends_left_ == 0) ends_left_ = half_->input_fed == 0 || terminal_->IsLineEnd(last_) ? 1 : 2;
    for (; ends_left_ > 0; --ends_left_) {
      is_full_ = write(pipe_, &end_of_file, 1) != 1;
      if (is_full_) return News::kNone;
    }
    close(pipe_);
    pipe_ = -1;
  }
  half_->flags |= record::kInputDone;
  RemoveRing();
  Look();
  return News::kChanged;
}

// No writer is left, so that the reader sees the end. What it has not taken by then is seen from a
// read end of our own, of which the reader knows nothing.
void Feeder::ClosePipe() {
  char path[32];
  snprintf(path, sizeof(path), "/proc/self/fd/%d", pipe_);
  const int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  close(pipe_);
  pipe_ = reader;
}

Feeder::News Feeder::Look() {
  int lying = 0;
  if (pipe_ < 0 || terminal_ != nullptr || ioctl(pipe_, FIONREAD, &lying) != 0) return News::kNone;
  const int64_t taken = half_->input_fed - lying;
  if (taken <= half_->input_taken) return News::kNone;
  half_->input_taken = taken;
  return News::kChanged;
}

Feeder::News Feeder::Close() {
  if (pipe_ < 0) return News::kNone;
  Look();
  look_at_ = retry_at_ = kNever;
  if (!is_done()) half_->flags |= record::kInputClosed;
  close(pipe_);
  pipe_ = -1;
  RemoveRing();
  return News::kChanged;
}

short Feeder::poll_events() const { return is_full_ ? POLLOUT : 0; }

}  // namespace shoal::shim
