// Output files that remember what was asked of them.
//
// Thread-safety: one thread.
#ifndef SHOAL_TESTS_SUPPORT_FAKE_OUTPUT_FILES_H_
#define SHOAL_TESTS_SUPPORT_FAKE_OUTPUT_FILES_H_

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/ports/output_files.h"

namespace shoal::agent {

class FakeOutputFiles : public OutputFiles {
 public:
  std::string Tail(const std::string& id, int stream, const record::StreamState& /*state*/,
                   int64_t /*segment_bytes*/, size_t max_bytes) override {
    const std::string& text = texts[{id, stream}];
    return text.substr(text.size() - std::min(text.size(), max_bytes));
  }
  void Remove(const std::string& id, const Streams& /*streams*/) override { removed.insert(id); }
  void RemoveAllBut(const std::vector<std::string>& keep) override {
    kept = std::set<std::string>(keep.begin(), keep.end());
  }
  std::array<record::StreamState, record::kStreams> Measure(const std::string& id,
                                                            int64_t /*segment_bytes*/) override {
    std::array<record::StreamState, record::kStreams> streams{};
    for (int i = 0; i < record::kStreams; ++i) {
      streams[static_cast<size_t>(i)].end = static_cast<int64_t>(texts[{id, i}].size());
    }
    return streams;
  }

  std::map<std::pair<std::string, int>, std::string> texts;  // what is in the files
  std::set<std::string> removed;
  std::set<std::string> kept;  // of the last RemoveAllBut
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_SUPPORT_FAKE_OUTPUT_FILES_H_
