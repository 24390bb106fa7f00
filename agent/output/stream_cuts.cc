#include "agent/output/stream_cuts.h"

#include <utility>

#include "agent/record/cut_rows.h"

namespace shoal::agent {
namespace {

constexpr size_t kCutRowsAtOnce = 256;

}  // namespace

StreamCuts::StreamCuts(int directory, std::string id, int stream)
    : stream_(static_cast<uint64_t>(stream)), rows_(directory, std::move(id)) {}

std::optional<StreamCuts::Cut> StreamCuts::Behind(int64_t offset) {
  for (size_t got = kCutRowsAtOnce; got == kCutRowsAtOnce;) {
    const std::vector<record::IndexRow> rows = rows_.Next(kCutRowsAtOnce);
    got = rows.size();
    for (const record::IndexRow& row : rows) {
      if (row.stream == (record::kCutFrom | stream_)) begun_ = row.offset;
      if (row.stream != (record::kCutTo | stream_) || !begun_.has_value()) continue;
      cuts_.push_back({*begun_, row.offset});
      begun_.reset();
    }
  }
  for (const Cut& cut : cuts_) {
    if (cut.to > offset) return cut;
  }
  return std::nullopt;
}

}  // namespace shoal::agent
