#include "tests/shim/kept_output.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace shoal::testing {

std::string KeptOutput::Read(int stream, const record::StreamState& state,
                             int64_t segment_bytes) const {
  std::string bytes;
  for (int64_t at = state.begin; at < state.end; at += segment_bytes) {
    char name[64];
    snprintf(name, sizeof(name), "%s.%d.%016llx", id_.c_str(), stream,
             static_cast<unsigned long long>(at));
    std::stringstream segment;
    segment << std::ifstream(directory_ + "/" + name, std::ios::binary).rdbuf();
    bytes += segment.str();
  }
  bytes.resize(std::min(bytes.size(), static_cast<size_t>(state.end - state.begin)));
  return bytes;
}

std::vector<record::IndexRow> KeptOutput::Index() const {
  std::vector<record::IndexRow> rows;
  std::ifstream file(directory_ + "/" + id_ + ".idx", std::ios::binary);
  for (record::IndexRow row; file.read(reinterpret_cast<char*>(&row), sizeof(row));)
    rows.push_back(row);
  return rows;
}

std::set<std::string> KeptOutput::Files() const {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory_))
    names.insert(entry.path().filename());
  return names;
}

}  // namespace shoal::testing
