// What a reader of output wants, and what the loop tells of one process's output.
//
// Ownership:     plain data.
// Thread-safety: plain data.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_OUTPUT_OUTPUT_QUERY_H_
#define SHOAL_AGENT_OUTPUT_OUTPUT_QUERY_H_

#include <array>
#include <cstdint>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "agent/core/access.h"
#include "agent/core/selector.h"
#include "agent/output/large_frames.h"
#include "agent/record/record_layout.h"

namespace shoal::agent {

using WantedStreams = std::array<bool, record::kStreams>;

// Where the streams of processes that were there at the beginning are read from.
struct OutputStart {
  enum class From { kOffset, kTailBytes, kTailLines, kSince };
  From from = From::kOffset;
  int64_t number = 0;  // offset, bytes or lines
  absl::Time since;
  absl::flat_hash_map<std::pair<std::string, int>, int64_t> resume;  // by id and stream
};

struct OutputForm {
  bool by_time = false;  // over all streams and processes
  bool times = false;    // frames have their time, and end with it
  bool gaps_only = false;
  int64_t frame_bytes = kFrameBytes;  // at most
};

struct OutputQuery {
  Permit permit;
  Selector selector = {};
  WantedStreams wanted{};
  OutputStart start = {};
  OutputForm form = {};
  bool follow = false;
};

struct OutputUpdate {
  std::string id;
  std::array<record::StreamState, record::kStreams> streams{};
  int64_t segment_bytes = 0;
  absl::Time started;  // execve; what was written just then is not in the time index
  std::array<bool, record::kStreams> has{};  // the streams that there are
  bool complete = false;                     // the ends will not move any more
  bool truncated = false;
  bool drops_oldest = false;
  bool is_new = false;   // came after the reader began: read from its first byte
  bool checked = false;  // the answer to a question about a missing segment
  bool gone = false;     // deleted, its files with it; the other fields say nothing
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OUTPUT_OUTPUT_QUERY_H_
