// Where the frames of one reader go.
//
// Ownership:     shared by the reader and the follower that feed it.
// Thread-safety: thread-safe.
// Blocking:      never blocks: what does not fit is refused, and offered again.
// Errors:        none; a sink that is ending takes nothing.
#ifndef SHOAL_AGENT_OUTPUT_OUTPUT_SINK_H_
#define SHOAL_AGENT_OUTPUT_OUTPUT_SINK_H_

#include "absl/status/status.h"
#include "agent/output/output_frame.h"

namespace shoal::agent {

class OutputSink {
 public:
  virtual ~OutputSink() = default;
  // Whether a Push now would be taken. After a false, OutputFollower::OnRoom is to be called once
  // there is room.
  virtual bool HasRoom() = 0;
  // False: full, as HasRoom says it, or ending.
  virtual bool Push(OutputFrame&& frame) = 0;
  // What is pushed in between may go out together.
  virtual void Hold() {}
  virtual void Release() {}
  // Nothing more comes: ends once everything pushed is through.
  virtual void Close() = 0;
  // Ends with `status` now.
  virtual void Fail(const absl::Status& status) = 0;
  virtual bool IsEnding() const = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OUTPUT_OUTPUT_SINK_H_
