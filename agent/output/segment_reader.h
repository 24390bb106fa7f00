// Reads one stream of one process by absolute offset, with the descriptor of the current segment
// kept open between calls.
//
// Ownership:     one per reader; `directory` outlives it.
// Thread-safety: one thread at a time; any thread.
// Blocking:      on the disk.
// Errors:        NOT_FOUND: the segment is not there (dropped, acknowledged, or removed by another
//                program); others as open(2) and pread(2) give them.
#ifndef SHOAL_AGENT_OUTPUT_SEGMENT_READER_H_
#define SHOAL_AGENT_OUTPUT_SEGMENT_READER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "common/unique_fd.h"

namespace shoal::agent {

class SegmentReader {
 public:
  SegmentReader(int directory, std::string id, int stream, int64_t segment_bytes);

  // Up to `size` bytes from `offset` on, not beyond the end of its segment. 0: nothing is written
  // there yet.
  absl::StatusOr<size_t> Read(int64_t offset, char* buffer, size_t size);

  // How many bytes Read would find from `offset` on in this segment; not positive: none.
  absl::StatusOr<int64_t> Measure(int64_t offset);

  // Descriptors are few: gives the cached one back. The next Read opens it again.
  void Close() { segment_.Reset(); }

 private:
  absl::Status Open(int64_t start);

  // Constant after construction.
  const int directory_;
  const std::string id_;
  const int stream_;
  const int64_t segment_bytes_;

  UniqueFd segment_;
  int64_t start_ = -1;  // of the open segment
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OUTPUT_SEGMENT_READER_H_
