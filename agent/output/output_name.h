// Names of the files in the output directory; see agent/record/record_layout.h.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_AGENT_OUTPUT_OUTPUT_NAME_H_
#define SHOAL_AGENT_OUTPUT_OUTPUT_NAME_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace shoal::agent {

struct OutputName {
  std::string id;
  int stream = 0;
  int64_t start = 0;  // offset of the first byte
  bool is_index = false;
  bool is_ring = false;  // of the input
};

std::string SegmentName(absl::string_view id, int stream, int64_t start);
std::string IndexName(absl::string_view id);
std::string RingName(absl::string_view id);

// nullopt: not a name of ours.
std::optional<OutputName> ParseOutputName(absl::string_view name);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OUTPUT_OUTPUT_NAME_H_
