// The rows of the time index of one process, block by block; see record::IndexRow.
//
// Ownership:     one per reader; `directory` outlives it. Descriptors are few: none is kept between calls.
// Thread-safety: one thread at a time; any thread.
// Blocking:      on the disk.
// Errors:        none: without an index, or where it cannot be read, there are no rows.
#ifndef SHOAL_AGENT_OUTPUT_INDEX_ROWS_H_
#define SHOAL_AGENT_OUTPUT_INDEX_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/record/record_layout.h"

namespace shoal::agent {

class IndexRows {
 public:
  IndexRows(int directory, std::string id);

  // The next rows that are there by now, at most `most`; empty: no more.
  std::vector<record::IndexRow> Next(size_t most);

 private:
  // Constant after construction.
  const int directory_;
  const std::string id_;

  int64_t next_row_ = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OUTPUT_INDEX_ROWS_H_
