// What one ReadOutput of a FakeAgent has sent, and the frames that are next.
//
// Ownership:     the call's.
// Thread-safety: one caller at a time.
#ifndef SHOAL_TESTS_SUPPORT_FAKE_OUTPUT_READER_H_
#define SHOAL_TESTS_SUPPORT_FAKE_OUTPUT_READER_H_

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "shoal/v1/process_service.pb.h"
#include "tests/support/fake_agent_rep.h"

namespace shoal::testing {

class FakeOutputReader {
 public:
  // `as_before`: as an agent of 0.1 does it.
  FakeOutputReader(const v1::ReadOutputRequest& request, size_t frame_bytes, bool as_before)
      : request_(request),
        frame_bytes_(frame_bytes),
        by_time_(request.by_time() && !as_before),
        times_(request.times() && !as_before),
        gaps_only_(request.gaps_only() && !as_before) {
    for (const v1::OutputPosition& position : request.resume()) {
      offsets_[{position.id(), position.stream()}] = position.offset();
    }
  }

  void Collect(const FakeProcess& entry) {
    for (int i = 0; i < 3; ++i) {
      const auto kind = static_cast<v1::StreamKind>(i + 1);
      if (!IsWanted(kind)) continue;
      int64_t& offset = offsets_[{entry.process.id(), kind}];
      const auto size = static_cast<int64_t>(entry.output[i].size());
      absl::Time time = absl::UnixEpoch();
      while (offset < size) time = CollectOne(entry, i, &offset);
      if (!IsOver(entry.process) || !ended_.insert({entry.process.id(), kind}).second) continue;
      v1::ReadOutputResponse end = FrameOf(entry, i, offset);
      end.mutable_end()->set_truncated(entry.is_truncated);
      frames_.emplace_back(time, std::move(end));
    }
  }

  // What was collected, in the order in which it is sent.
  std::vector<v1::ReadOutputResponse> Take() {
    const auto is_older = [](const auto& a, const auto& b) { return a.first < b.first; };
    if (by_time_) std::stable_sort(frames_.begin(), frames_.end(), is_older);
    std::vector<v1::ReadOutputResponse> taken;
    for (auto& [time, frame] : frames_) {
      if (!gaps_only_ || !frame.has_data()) taken.push_back(std::move(frame));
    }
    frames_.clear();
    return taken;
  }

 private:
  bool IsWanted(v1::StreamKind kind) const {
    if (request_.streams().empty()) return kind != v1::STREAM_KIND_RESULT;
    return std::count(request_.streams().begin(), request_.streams().end(), kind) > 0;
  }

  static v1::ReadOutputResponse FrameOf(const FakeProcess& entry, int stream, int64_t offset) {
    v1::ReadOutputResponse frame;
    frame.set_id(entry.process.id());
    frame.set_stream(static_cast<v1::StreamKind>(stream + 1));
    frame.set_offset(offset);
    return frame;
  }

  // Its time.
  absl::Time CollectOne(const FakeProcess& entry, int stream, int64_t* offset) {
    const std::string& output = entry.output[stream];
    const v1::Gap& gap = entry.gaps[stream];
    const std::map<int64_t, absl::Time>& times = entry.times[stream];
    const auto next = times.upper_bound(*offset);
    const absl::Time time = next == times.begin() ? absl::UnixEpoch() : std::prev(next)->second;
    v1::ReadOutputResponse frame = FrameOf(entry, stream, *offset);
    if (gap.from() <= *offset && *offset < gap.to()) {
      *frame.mutable_gap() = gap;
      *offset = gap.to();
    } else {
      int64_t end = *offset < gap.from() ? gap.from() : static_cast<int64_t>(output.size());
      if (next != times.end()) end = std::min(end, next->first);
      const size_t length = std::min(frame_bytes_, static_cast<size_t>(end - *offset));
      frame.set_data(output.substr(static_cast<size_t>(*offset), length));
      *offset += static_cast<int64_t>(length);
    }
    if (times_) SetTime(time, &frame);
    frames_.emplace_back(time, std::move(frame));
    return time;
  }

  static void SetTime(absl::Time time, v1::ReadOutputResponse* frame) {
    const int64_t ns = absl::ToUnixNanos(time);
    frame->mutable_time()->set_seconds(ns / 1'000'000'000);
    frame->mutable_time()->set_nanos(static_cast<int32_t>(ns % 1'000'000'000));
  }

  // Constant after construction.
  const v1::ReadOutputRequest& request_;
  const size_t frame_bytes_;
  const bool by_time_;
  const bool times_;
  const bool gaps_only_;

  std::map<std::pair<std::string, int>, int64_t> offsets_;
  std::set<std::pair<std::string, int>> ended_;
  std::vector<std::pair<absl::Time, v1::ReadOutputResponse>> frames_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_FAKE_OUTPUT_READER_H_
