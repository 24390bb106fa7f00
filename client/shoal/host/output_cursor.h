// How far one reader has come in the output of its processes: passes on what it has not had yet of
// each frame, and acknowledges what it has had.
//
// Ownership:     a reader's; its link outlives it.
// Thread-safety: one caller at a time.
// Blocking:      never blocks.
#ifndef SHOAL_CLIENT_SHOAL_HOST_OUTPUT_CURSOR_H_
#define SHOAL_CLIENT_SHOAL_HOST_OUTPUT_CURSOR_H_

#include <cstdint>

#include "absl/functional/function_ref.h"
#include "shoal/call.h"
#include "shoal/host/output_positions.h"
#include "shoal/link/link.h"

namespace shoal {

class OutputCursor {
 public:
  // `acknowledge_bytes`: as ReadOutputOptions says.
  OutputCursor(Link* link, int64_t acknowledge_bytes)
      : link_(link), acknowledges_(acknowledge_bytes > 0), positions_(acknowledge_bytes) {}

  // What `tell` says of the frame, or of the rest of it; a frame that was had before is dropped.
  Flow Take(v1::ReadOutputResponse&& frame, absl::FunctionRef<Flow(v1::ReadOutputResponse&&)> tell);

  // Where to go on, into `resume`.
  void WriteResume(v1::ReadOutputRequest* request) const { positions_.WriteResume(request); }

 private:
  void Acknowledge(v1::AcknowledgeOutputRequest request);

  Link* const link_;
  const bool acknowledges_;
  OutputPositions positions_;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_HOST_OUTPUT_CURSOR_H_
