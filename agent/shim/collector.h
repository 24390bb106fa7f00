// One stream of output on its way from a pipe or a terminal into segment files, and the time index
// that all streams share.
//
// Bytes of a pipe move by splice(2) and are never in the shim's memory: what cannot be written stays
// in the pipe, and the writer waits. Those of a terminal are read, and held until they are written. A segment file is created by its first byte.
//
// Ownership:     a stream owns its pipe and its newest segment file; the directory is the agent's.
// Thread-safety: single-threaded process only.
// Blocking:      file operations in the output directory.
// Errors:        any failure of a file operation stalls the stream, which tries again 100 ms later.
//                No byte is lost, but under DROP_OLDEST: there a full disk costs the oldest segment.
//                One that was acknowledged goes first under BLOCK, too.
#ifndef SHOAL_AGENT_SHIM_COLLECTOR_H_
#define SHOAL_AGENT_SHIM_COLLECTOR_H_

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/record/record_layout.h"
#include "agent/shim/clock.h"

namespace shoal::shim {

// How much is kept, and what happens beyond.
struct OutputLimits {
  int64_t cap_bytes;
  int64_t segment_bytes;
  bool drop_oldest;
  int64_t acknowledged;  // bytes below it may go, at the cap
};

// The rows of <id>.idx. A failed write costs a row, not a byte.
class TimeIndex {
 public:
  TimeIndex() = default;
  ~TimeIndex();
  TimeIndex(const TimeIndex&) = delete;
  TimeIndex& operator=(const TimeIndex&) = delete;

  // `began_ns`: what is read within 10 ms of it needs no row. Called at the fork and again at
  // execve.
  void Begin(const char* id, int64_t began_ns);
  // Bytes of `stream` from `offset` on were read at `time_ns`.
  void Note(int stream, int64_t offset, int64_t time_ns);
  // Bytes of `stream` between these were written, and are not in its file any more.
  void NoteCut(int stream, int64_t from, int64_t to);

 private:
  bool Open();
  bool Write(uint64_t stream, int64_t offset, int64_t time_ns);

  const char* id_ = nullptr;
  int fd_ = -1;
  int64_t rows_ = 0;
  int64_t newest_ns_[record::kStreams] = {};
};

class Collector {
 public:
  // `number`: see record::Stream. `state` and `id` outlive the stream.
  Collector(int number, const char* id, record::StreamState* state, TimeIndex* index)
      : number_(number), id_(id), state_(state), index_(index) {}
  ~Collector() { Close(); }
  Collector(const Collector&) = delete;
  Collector& operator=(const Collector&) = delete;

  // Makes the pipe; returns its write end, which the caller closes, or -1 with errno.
  int OpenPipe();
  // Or takes one whose read end is `pipe`.
  void TakePipe(int pipe) { pipe_ = pipe; }
  // Or the shim's side of a terminal, non-blocking.
  void TakeTerminal(int side) {
    pipe_ = side;
    is_terminal_ = true;
  }

  // Moves what the pipe holds, up to the end of the segment. True if bytes moved. REQUIRES: the
  // pipe is readable.
  bool Move(const OutputLimits& limits);
  // The tree is empty: what the pipe holds now is the rest, and goes into the files whatever the
  // cap (it is no more than a pipe's capacity). What a process outside the tree writes later is not
  // waited for.
  void TakeRest();
  // The pipe has no writer and no bytes, or what it holds is dropped.
  void Close();

  bool open() const { return pipe_ >= 0; }
  // What to poll for POLLIN; -1 while it is closed or stalled.
  int poll_fd() const { return stalled() ? -1 : pipe_; }
  // At the cap under BLOCK, or the files cannot be written.
  bool stalled() const { return blocked_ || retry_at_ != 0; }
  // Of the write that failed, while that is why the stream is stalled; else 0.
  int error() const { return retry_at_ != 0 ? error_ : 0; }
  // At the cap; only another acknowledgement or cap changes that.
  bool blocked() const { return blocked_; }
  // BootNow() at which to Move() without being asked by poll: after a stall, or for TakeRest(); or
  // kNever.
  int64_t due_at() const {
    if (retry_at_ != 0) return retry_at_;
    const bool has_more = pipe_ >= 0 && !blocked_ && (rest_ > 0 || held_ > 0);
    return has_more ? 0 : kNever;
  }
  bool dropped() const { return dropped_; }

 private:
  ssize_t Transfer(int64_t at, size_t room);
  void NoteCut();
  int64_t Room(const OutputLimits& limits);
  bool FreeOldest(const OutputLimits& limits);
  bool OpenSegment(int64_t segment_bytes);
  bool HasReserve() const;  // the disk has more room than its reserve
  void CloseSegment();
  const char* SegmentName(int64_t start);

  const int number_;
  const char* const id_;
  record::StreamState* const state_;
  TimeIndex* const index_;
  char name_[64];
  int pipe_ = -1;
  int file_ = -1;
  int64_t file_start_ = 0;
  int64_t retry_at_ = 0;
  int error_ = 0;
  bool blocked_ = false;
  int64_t rest_ = -1;  // bytes that are left after TakeRest(); -1 before
  bool dropped_ = false;
  bool is_terminal_ = false;
  size_t held_from_ = 0;  // bytes that were read of a terminal and not written
  size_t held_ = 0;
};

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_COLLECTOR_H_
