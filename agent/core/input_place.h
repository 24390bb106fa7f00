// Whether bytes that a caller sends may stand where it says, in the input of a process.
//
// Ownership:     none.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        those of WriteInput of the proto.
#ifndef SHOAL_AGENT_CORE_INPUT_PLACE_H_
#define SHOAL_AGENT_CORE_INPUT_PLACE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/core/model.h"

namespace shoal::agent {

// The name of a writer as the record keeps it.
uint64_t WriterDigest(absl::string_view writer);

struct InputPlace {
  int64_t begin = 0;
  int64_t end = 0;
  bool is_last = false;  // the input ends at `end`
  uint64_t writer = 0;
};

// What lies below what is kept has to be a repeat of the same writer.
absl::Status CheckInputPlace(const ProcessEntry& process, const InputPlace& place);

// Nothing more of it can be read.
inline bool IsInputClosed(const ProcessEntry& process) {
  return process.input.closed || process.IsTreeOver();
}

// FAILED_PRECONDITION (INPUT_CLOSED), with what was taken.
absl::Status InputClosed(const ProcessEntry& process);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_INPUT_PLACE_H_
