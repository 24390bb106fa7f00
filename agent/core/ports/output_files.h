// The files of output; see agent/record/record_layout.h for their names.
//
// Ownership:     main owns the implementation, which outlives the supervisor.
// Thread-safety: loop thread only.
// Blocking:      Tail and Measure on the disk, briefly; removals are done by another thread.
// Errors:        none; what cannot be read is empty.
#ifndef SHOAL_AGENT_CORE_PORTS_OUTPUT_FILES_H_
#define SHOAL_AGENT_CORE_PORTS_OUTPUT_FILES_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/record/record_layout.h"

namespace shoal::agent {

class OutputFiles {
 public:
  using Streams = std::array<record::StreamState, record::kStreams>;

  virtual ~OutputFiles() = default;
  // Up to the last `max_bytes` of a stream. Blocks on the disk; small.
  virtual std::string Tail(const std::string& id, int stream, const record::StreamState& state,
                           int64_t segment_bytes, size_t max_bytes) = 0;
  // Removes everything of `id`, on a helper thread. `streams`: as they are known, so that it is found at once.
  virtual void Remove(const std::string& id, const Streams& streams) = 0;
  // For recovery: removes files of ids that `keep` does not know, on a helper thread.
  virtual void RemoveAllBut(const std::vector<std::string>& keep) = 0;
  // For a lost shim: the ends of the streams by what is in the directory.
  virtual Streams Measure(const std::string& id, int64_t segment_bytes) = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_PORTS_OUTPUT_FILES_H_
