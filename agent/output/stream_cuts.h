// What of one stream another program has cut away from its files while they were written, as the time index tells; see
// agent/record/cut_rows.h.
//
// Ownership:     one per reader; `directory` outlives it. Descriptors are few: none is kept between calls.
// Thread-safety: one thread at a time; any thread.
// Blocking:      on the disk.
// Errors:        none: without an index, or where it cannot be read, nothing was cut.
#ifndef SHOAL_AGENT_OUTPUT_STREAM_CUTS_H_
#define SHOAL_AGENT_OUTPUT_STREAM_CUTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/output/index_rows.h"

namespace shoal::agent {

class StreamCuts {
 public:
  StreamCuts(int directory, std::string id, int stream);

  struct Cut {
    int64_t from = 0;
    int64_t to = 0;
  };
  // The first cut that ends behind `offset`, of those that are noted by now.
  std::optional<Cut> Behind(int64_t offset);

 private:
  const uint64_t stream_;
  IndexRows rows_;
  std::optional<int64_t> begun_;  // whose end was not read yet
  std::vector<Cut> cuts_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OUTPUT_STREAM_CUTS_H_
