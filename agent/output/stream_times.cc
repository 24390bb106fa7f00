#include "agent/output/stream_times.h"

#include <utility>

namespace shoal::agent {
namespace {

constexpr size_t kTimesAtOnce = 64;

}  // namespace

StreamTimes::StreamTimes(int directory, std::string id, int stream)
    : stream_(static_cast<uint64_t>(stream)), index_(directory, std::move(id)) {}

// There is a row behind the current one; reads on in the index where that is not known.
bool StreamTimes::HasNext(int64_t end) {
  while (next_ == rows_.size()) {
    if (end <= known_end_) return false;
    const std::vector<record::IndexRow> rows = index_.Next(kTimesAtOnce);
    rows_.clear();
    next_ = 0;
    if (rows.empty()) {
      known_end_ = end;
      return false;
    }
    for (const record::IndexRow& row : rows) {
      if (row.stream == stream_) rows_.push_back(row);
    }
  }
  return true;
}

absl::Time StreamTimes::At(int64_t offset, int64_t end) {
  while (HasNext(end) && rows_[next_].offset <= offset) {
    time_ns_ = rows_[next_].time_ns;
    is_in_row_ = true;
    ++next_;
  }
  return is_in_row_ ? absl::FromUnixNanos(time_ns_) : started_;
}

int64_t StreamTimes::NextOffset() const {
  return next_ < rows_.size() ? rows_[next_].offset : kAllThatIs;
}

int64_t StreamTimes::OffsetAfter(absl::Time time) const {
  if (next_ == rows_.size()) return kAllThatIs;
  for (size_t i = next_; i < rows_.size(); ++i) {
    if (absl::FromUnixNanos(rows_[i].time_ns) > time) return rows_[i].offset;
  }
  // What the next rows say is not known yet.
  return rows_.back().offset;
}

}  // namespace shoal::agent
