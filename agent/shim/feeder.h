// The input of one process on its way from the ring, which the agent fills, into a pipe or its
// terminal.
//
// Bytes are copied, not spliced: pages of the ring that the pipe referred to would change under the
// reader when the agent uses them again.
//
// Ownership:     owns ring file and pipe; what has come of them stands in the shim's half.
// Thread-safety: single-threaded process only.
// Blocking:      reads of the ring's file; the pipe is not waited for.
// Errors:        a ring that cannot be read is tried again 100 ms later; no byte is passed over.
#ifndef SHOAL_AGENT_SHIM_FEEDER_H_
#define SHOAL_AGENT_SHIM_FEEDER_H_

#include <stdint.h>

#include "agent/record/record_layout.h"
#include "agent/shim/clock.h"
#include "agent/shim/terminal.h"

namespace shoal::shim {

class Feeder {
 public:
  // What is to be told of a step.
  enum class News { kNone, kMoved, kChanged };

  // `half` outlives the feeder, which writes its input fields.
  explicit Feeder(record::ShimHalf* half) : half_(half) {}

  // Makes the ring, all of it, and the pipe. Returns the read end, which the caller closes, or -1
  // with errno.
  int Open(int64_t window);
  // The same for a pipe that is there, of which `write_end` is one end. 0, or why not.
  int Take(int write_end, int64_t window);
  // Or for a terminal, which outlives this.
  int TakeTerminal(const Terminal* terminal, int64_t window);

  // Writes what the pipe takes of what is wanted, closes it behind the end, and looks how much was
  // taken if a caller waits for that. `events` is what ppoll(2) has reported.
  News Step(short events, const record::AgentHalf& wish, int64_t now);
  // Nothing more will be read: what the pipe holds is lost.
  News Close();

  // What to poll, and for what; -1: nothing.
  int poll_fd() const { return is_done() ? -1 : pipe_; }
  short poll_events() const;
  // BootNow() at which to Step() without being asked by poll; or kNever.
  int64_t due_at() const { return Earlier(retry_at_, look_at_); }

 private:
  bool is_done() const { return (half_->flags & record::kInputDone) != 0; }
  int MakeRing(int64_t window);
  void RemoveRing();
  News Feed(const record::AgentHalf& wish, int64_t now);
  News End();
  void ClosePipe();
  News Look();

  record::ShimHalf* const half_;
  const Terminal* terminal_ = nullptr;  // null: it is a pipe
  int64_t window_ = 0;
  int ring_ = -1;
  int pipe_ = -1;         // its write end; once the input is done a read end, to see what is taken
  bool is_full_ = false;  // the pipe was, when last written to
  unsigned char last_ = 0;  // byte that was fed
  int ends_left_ = 0;       // end-of-file characters for the terminal, once its end is wanted
  int64_t retry_at_ = kNever;
  int64_t look_at_ = kNever;
};

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_FEEDER_H_
