#include "agent/output/output_name.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "agent/record/record_layout.h"

namespace shoal::agent {
namespace {

constexpr absl::string_view kIndexSuffix = ".idx";
constexpr absl::string_view kRingSuffix = ".in";

}  // namespace

std::string SegmentName(absl::string_view id, int stream, int64_t start) {
  return absl::StrFormat("%s.%d.%016x", id, stream, static_cast<uint64_t>(start));
}

std::string IndexName(absl::string_view id) { return absl::StrCat(id, kIndexSuffix); }

std::string RingName(absl::string_view id) { return absl::StrCat(id, kRingSuffix); }

std::optional<OutputName> ParseOutputName(absl::string_view name) {
  if (name.size() <= record::kIdBytes) return std::nullopt;
  OutputName parsed;
  parsed.id = std::string(name.substr(0, record::kIdBytes));
  if (name.substr(record::kIdBytes) == kIndexSuffix) {
    parsed.is_index = true;
    return parsed;
  }
  if (name.substr(record::kIdBytes) == kRingSuffix) {
    parsed.is_ring = true;
    return parsed;
  }
  if (name.size() != record::kOutputNameBytes) return std::nullopt;
  const char stream = name[record::kIdBytes + 1];
  const absl::string_view start = name.substr(record::kIdBytes + 3);
  uint64_t offset = 0;
  if (name[record::kIdBytes] != '.' || name[record::kIdBytes + 2] != '.' || stream < '0' ||
      stream >= '0' + record::kStreams || !absl::SimpleHexAtoi(start, &offset) ||
      offset > static_cast<uint64_t>(INT64_MAX) ||
      SegmentName(parsed.id, stream - '0', static_cast<int64_t>(offset)) != name) {
    return std::nullopt;
  }
  parsed.stream = stream - '0';
  parsed.start = static_cast<int64_t>(offset);
  return parsed;
}

}  // namespace shoal::agent
