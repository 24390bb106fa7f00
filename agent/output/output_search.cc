#include "agent/output/output_search.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <utility>
#include <vector>

#include "agent/os/descriptor.h"
#include "agent/output/output_name.h"
#include "common/unique_fd.h"

namespace shoal::agent {
namespace {

using record::IndexRow;

constexpr int64_t kBlockBytes = 64 << 10;
// See record::IndexRow: 10 ms, twice that from row 2^18 on, and twice again at each power of two.
constexpr int64_t kFirstGranularityNs = 10'000'000;
constexpr int kFirstWideningBits = 18;
constexpr int64_t kRowBytes = sizeof(IndexRow);

// The rows of a time index by their number.
class IndexFile {
 public:
  explicit IndexFile(UniqueFd fd) : fd_(std::move(fd)) {
    struct stat facts {};
    if (fstat(fd_.get(), &facts) == 0) count_ = facts.st_size / kRowBytes;
  }
  int64_t count() const { return count_; }
  IndexRow Row(int64_t number) const {
    IndexRow row{};
    if (pread(fd_.get(), &row, sizeof(row), number * kRowBytes) != kRowBytes) row.stream = ~0ull;
    return row;
  }
  // The first row at `time_ns` or later. Rows are in the order of time but for steps of the clock.
  int64_t LowerBound(int64_t time_ns) const {
    int64_t low = 0;
    int64_t high = count_;
    while (low < high) {
      const int64_t middle = low + (high - low) / 2;
      (Row(middle).time_ns < time_ns ? low : high) =
          Row(middle).time_ns < time_ns ? middle + 1 : middle;
    }
    return low;
  }

 private:
  UniqueFd fd_;
  int64_t count_ = 0;
};

int64_t GranularityAt(int64_t row) {
  const auto bits = static_cast<int>(std::bit_width(static_cast<uint64_t>(row)));
  return kFirstGranularityNs << std::max(0, bits - kFirstWideningBits);
}

}  // namespace

int64_t OffsetSince(int directory, const std::string& id, int stream,
                    const record::StreamState& state, absl::Time since, absl::Time started) {
  // The row {stream, 0, started} is implied.
  if (since <= started + absl::Nanoseconds(kFirstGranularityNs)) return state.begin;
  absl::StatusOr<UniqueFd> fd = OpenAt(directory, IndexName(id), O_RDONLY | O_NOFOLLOW);
  if (!fd.ok()) return started == absl::InfinitePast() ? state.begin : state.end;
  const IndexFile index(*std::move(fd));
  const int64_t since_ns = absl::ToUnixNanos(since);
  // A row stands for what arrived shortly after it, too, so one shortly before `since` may count.
  const int64_t granularity_ns = GranularityAt(index.LowerBound(since_ns));
  for (int64_t i = index.LowerBound(since_ns - granularity_ns); i < index.count(); ++i) {
    const IndexRow row = index.Row(i);
    if (row.stream == static_cast<uint64_t>(stream)) {
      return std::clamp(row.offset, state.begin, std::max(state.begin, state.end));
    }
  }
  return state.end;
}

absl::StatusOr<int64_t> OffsetOfTailLines(SegmentReader& reader, const record::StreamState& state,
                                          int64_t segment_bytes, int64_t lines) {
  if (lines <= 0 || state.end <= state.begin) return state.end;
  std::vector<char> block(kBlockBytes);
  int64_t newlines_left = lines;
  for (int64_t end = state.end; end > state.begin;) {
    const int64_t segment_start = (end - 1) / segment_bytes * segment_bytes;
    const int64_t start = std::max({state.begin, segment_start, end - kBlockBytes});
    const auto wanted = static_cast<size_t>(end - start);
    absl::StatusOr<size_t> got = reader.Read(start, block.data(), wanted);
    if (absl::IsNotFound(got.status())) return end;
    if (!got.ok()) return got.status();
    for (int64_t i = static_cast<int64_t>(std::min(*got, wanted)) - 1; i >= 0; --i) {
      const int64_t offset = start + i;
      // The newline at the very end closes the last line and begins none.
      if (block[static_cast<size_t>(i)] != '\n' || offset == state.end - 1) continue;
      if (--newlines_left == 0) return offset + 1;
    }
    end = start;
  }
  return state.begin;
}

}  // namespace shoal::agent
