// The streams of a process: one row for each.
//
// Ownership:     constants.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        none.
//
// Included by the shim, which has no standard library: C headers only.
#ifndef SHOAL_AGENT_RECORD_STREAMS_H_
#define SHOAL_AGENT_RECORD_STREAMS_H_

#include "shoal/v1/fork_protocol.h"

namespace shoal::record {

// A stream's number: its place in the arrays of the record and in kStreamTable, and its digit in
// the names of its files. Never changes.
enum Stream : int { kStdout = 0, kStderr = 1, kResult = 2 };
inline constexpr int kStreams = 3;

enum class Direction { kFromProcess, kToProcess };

struct StreamFacts {
  Stream number;
  Direction direction;
  int kind;          // shoal.v1.StreamKind
  const char* name;  // for people
  int pipe_fd;       // of an adopting shim: its end of the pipe
};

inline constexpr StreamFacts kStreamTable[kStreams] = {
    {kStdout, Direction::kFromProcess, 1, "stdout", fork_protocol::kStdoutFd},
    {kStderr, Direction::kFromProcess, 2, "stderr", fork_protocol::kStderrFd},
    {kResult, Direction::kFromProcess, 3, "result", fork_protocol::kResultFd},
};

}  // namespace shoal::record

#endif  // SHOAL_AGENT_RECORD_STREAMS_H_
