// Finds offsets in the output of a process: by time, and by lines counted from the end.
//
// Thread-safety: thread-safe.
// Blocking:      on the disk; up to the whole stream for many lines.
// Errors:        those of SegmentReader.
#ifndef SHOAL_AGENT_OUTPUT_OUTPUT_SEARCH_H_
#define SHOAL_AGENT_OUTPUT_OUTPUT_SEARCH_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/output/segment_reader.h"
#include "agent/record/record_layout.h"

namespace shoal::agent {

// The offset from which on the bytes of `stream` arrived at `since` or later, to the granularity of
// the time index (10 ms); the end of the stream if none did. `started` is when the process did, and
// with it what it wrote in its first 10 ms, which the index does not say; a stream without an index
// counts as late enough where `started` is not given.
int64_t OffsetSince(int directory, const std::string& id, int stream,
                    const record::StreamState& state, absl::Time since,
                    absl::Time started = absl::InfinitePast());

// The offset of the first of the last `lines` lines. A last line without a newline counts. Stops
// at a gap.
absl::StatusOr<int64_t> OffsetOfTailLines(SegmentReader& reader, const record::StreamState& state,
                                          int64_t segment_bytes, int64_t lines);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OUTPUT_OUTPUT_SEARCH_H_
