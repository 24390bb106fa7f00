#include "agent/output/stream_cuts.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "agent/os/descriptor.h"
#include "agent/output/output_name.h"
#include "agent/record/cut_rows.h"
#include "common/unique_fd.h"

namespace shoal::agent {
namespace {

constexpr size_t kCutRowsAtOnce = 256;

}  // namespace

StreamCuts::StreamCuts(int directory, std::string id, int stream)
    : directory_(directory), id_(std::move(id)), stream_(static_cast<uint64_t>(stream)) {}

std::vector<record::IndexRow> StreamCuts::ReadRows() {
  absl::StatusOr<UniqueFd> fd = OpenAt(directory_, IndexName(id_), O_RDONLY | O_NOFOLLOW);
  if (!fd.ok()) return {};
  constexpr auto kIndexRowBytes = static_cast<int64_t>(sizeof(record::IndexRow));
  std::vector<record::IndexRow> rows(kCutRowsAtOnce);
  const ssize_t got = pread(fd->get(), rows.data(), rows.size() * sizeof(record::IndexRow),
                            static_cast<off_t>(next_row_ * kIndexRowBytes));
  rows.resize(got > 0 ? static_cast<size_t>(got / kIndexRowBytes) : 0);
  next_row_ += static_cast<int64_t>(rows.size());
  return rows;
}

std::optional<StreamCuts::Cut> StreamCuts::Behind(int64_t offset) {
  for (size_t got = kCutRowsAtOnce; got == kCutRowsAtOnce;) {
    const std::vector<record::IndexRow> rows = ReadRows();
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
