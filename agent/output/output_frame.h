// A piece of a stream on its way to a reader.
//
// Ownership:     plain data; moved from the output thread to the sink.
// Thread-safety: plain data.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_OUTPUT_OUTPUT_FRAME_H_
#define SHOAL_AGENT_OUTPUT_OUTPUT_FRAME_H_

#include <cstdint>
#include <string>
#include <variant>

#include "absl/time/time.h"

namespace shoal::agent {

// The bytes from the frame's offset up to `to` are not there any more.
struct OutputGap {
  enum class Reason { kCap, kAcknowledged, kMissing };
  int64_t to = 0;
  Reason reason = Reason::kMissing;
};

// The bytes up to `to` are there, and are not asked for.
struct OutputSkip {
  int64_t to = 0;
};

// Nothing follows.
struct OutputEnd {
  bool truncated = false;
};

struct OutputFrame {
  std::string id;
  int stream = 0;
  int64_t offset = 0;
  std::variant<std::string, OutputGap, OutputEnd, OutputSkip> content;
  absl::Time time = absl::InfinitePast();  // where it was asked for and is known
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OUTPUT_OUTPUT_FRAME_H_
