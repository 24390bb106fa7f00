// The output of one process as its shim has kept it, straight from the files.
//
// Thread-safety: thread-safe.
// Blocking:      reads files.
// Errors:        what cannot be read is empty.
#ifndef SHOAL_TESTS_SHIM_KEPT_OUTPUT_H_
#define SHOAL_TESTS_SHIM_KEPT_OUTPUT_H_

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/record/record_layout.h"

namespace shoal::testing {

class KeptOutput {
 public:
  KeptOutput(std::string directory, std::string id)
      : directory_(std::move(directory)), id_(std::move(id)) {}

  // Of a stream that is in such a state.
  std::string Read(int stream, const record::StreamState& state, int64_t segment_bytes) const;
  std::vector<record::IndexRow> Index() const;
  // Names of all files there.
  std::set<std::string> Files() const;

 private:
  const std::string directory_;
  const std::string id_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SHIM_KEPT_OUTPUT_H_
