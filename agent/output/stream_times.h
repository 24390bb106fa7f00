// When the bytes of one stream were read from their process, as its time index tells; see record::IndexRow.
//
// Ownership:     an OutputCursor's; `directory` outlives it.
// Thread-safety: one thread at a time; any thread.
// Blocking:      on the disk.
// Errors:        none: without an index all was read when the process had started.
// Memory:        64 rows, which thousands of streams that are merged may have at once.
#ifndef SHOAL_AGENT_OUTPUT_STREAM_TIMES_H_
#define SHOAL_AGENT_OUTPUT_STREAM_TIMES_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "agent/output/index_rows.h"
#include "agent/record/record_layout.h"

namespace shoal::agent {

class StreamTimes {
 public:
  static constexpr int64_t kAllThatIs = std::numeric_limits<int64_t>::max();

  StreamTimes(int directory, std::string id, int stream);

  // Until the first row says another time. InfinitePast: not known.
  void SetStart(absl::Time started) { started_ = started; }

  // The time of the byte at `offset`; InfinitePast: not known. The rows of what is before `end` are in the index.
  // REQUIRES: `offset` is not before that of an earlier call.
  absl::Time At(int64_t offset, int64_t end);
  // Of the bytes behind that of the last At(): the offset of the first with a time of its own.
  int64_t NextOffset() const;
  // Of the first that is later than `time`, or an offset before it. kAllThatIs: all are, as far as is known.
  int64_t OffsetAfter(absl::Time time) const;

 private:
  bool HasNext(int64_t end);

  // Constant after construction.
  const uint64_t stream_;

  IndexRows index_;
  absl::Time started_ = absl::InfinitePast();
  bool is_in_row_ = false;  // else before the first
  int64_t time_ns_ = 0;     // of that row
  std::vector<record::IndexRow> rows_;
  size_t next_ = 0;         // of rows_: the first behind the last At()
  int64_t known_end_ = -1;  // rows_ has the last row that tells of bytes before it
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OUTPUT_STREAM_TIMES_H_
