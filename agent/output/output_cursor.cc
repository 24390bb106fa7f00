#include "agent/output/output_cursor.h"

#include <algorithm>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "agent/output/output_search.h"

namespace shoal::agent {

OutputCursor::OutputCursor(int directory, const OutputUpdate& first, int stream, bool wanted)
    : directory_(directory),
      stream_(stream),
      wanted_(wanted),
      reader_(directory, first.id, stream, first.segment_bytes),
      cuts_(directory, first.id, stream),
      times_(directory, first.id, stream) {}

bool OutputCursor::Take(const OutputUpdate& update, const OutputStart& start) {
  const record::StreamState& told = update.streams[static_cast<size_t>(stream_)];
  const bool grew = told.end > state_.end;
  state_ = told;
  times_.SetStart(update.started);
  if (update.checked && std::exchange(asked_, false)) unfound_ = true;
  if (!wanted_) return false;
  if (!std::exchange(placed_, true)) Place(update, start);
  return grew;
}

void OutputCursor::TakeGone() {
  asked_ = false;
  unfound_ = true;
}

void OutputCursor::Place(const OutputUpdate& update, const OutputStart& start) {
  auto resume = start.resume.find({update.id, stream_});
  if (resume != start.resume.end()) {
    offset_ = resume->second;
    return;
  }
  if (update.is_new) return;
  switch (start.from) {
    case OutputStart::From::kOffset:
      offset_ = start.number;
      return;
    case OutputStart::From::kTailBytes:
      offset_ = std::max(state_.begin, state_.end - start.number);
      return;
    case OutputStart::From::kTailLines: {
      absl::StatusOr<int64_t> offset =
          OffsetOfTailLines(reader_, state_, update.segment_bytes, start.number);
      offset_ = offset.ok() ? *offset : state_.begin;
      return;
    }
    case OutputStart::From::kSince:
      offset_ = OffsetSince(directory_, update.id, stream_, state_, start.since, update.started);
      return;
  }
}

absl::Time OutputCursor::NextTime() {
  return times_.At(std::max(offset_, state_.begin), state_.end);
}

absl::StatusOr<std::optional<OutputFrame>> OutputCursor::Next(const OutputUpdate& update,
                                                              int64_t up_to, int64_t most_bytes) {
  if (offset_ < state_.begin) return GapBefore(update);
  std::string data(static_cast<size_t>(std::min(up_to - offset_, most_bytes)), '\0');
  absl::StatusOr<size_t> got = reader_.Read(offset_, data.data(), data.size());
  if (absl::IsNotFound(got.status()) || (got.ok() && *got == 0)) return OnMissing(update);
  if (!got.ok()) return got.status();
  unfound_ = false;
  data.resize(*got);
  // Where something was cut away there are zeros now: without one there was no cut.
  if (absl::StrContains(data, '\0')) {
    const std::optional<StreamCuts::Cut> cut = cuts_.Behind(offset_);
    if (cut.has_value() && cut->from <= offset_) {
      return Gap(update, std::min(cut->to, state_.end), OutputGap::Reason::kMissing);
    }
    if (cut.has_value()) {
      const auto before = static_cast<size_t>(cut->from - offset_);
      data.resize(std::min(data.size(), before));
    }
  }
  return OutputFrame{update.id, stream_, offset_, std::move(data)};
}

absl::StatusOr<std::optional<OutputFrame>> OutputCursor::NextGap(const OutputUpdate& update,
                                                                 int64_t up_to) {
  if (offset_ < state_.begin) return GapBefore(update);
  absl::StatusOr<int64_t> there = reader_.Measure(offset_);
  if (absl::IsNotFound(there.status()) || (there.ok() && *there <= 0)) return OnMissing(update);
  if (!there.ok()) return there.status();
  unfound_ = false;
  int64_t to = std::min(up_to, offset_ + *there);
  const std::optional<StreamCuts::Cut> cut = cuts_.Behind(offset_);
  if (cut.has_value() && cut->from <= offset_) {
    return Gap(update, std::min(cut->to, state_.end), OutputGap::Reason::kMissing);
  }
  if (cut.has_value()) to = std::min(to, cut->from);
  return OutputFrame{update.id, stream_, offset_, OutputSkip{to}};
}

// A segment that should be there is not: perhaps the loop knows by now that it was dropped.
std::optional<OutputFrame> OutputCursor::OnMissing(const OutputUpdate& update) {
  if (!unfound_) {
    asked_ = true;
    return std::nullopt;
  }
  const int64_t segment_end = (offset_ / update.segment_bytes + 1) * update.segment_bytes;
  return Gap(update, std::min(segment_end, state_.end), OutputGap::Reason::kMissing);
}

// What was dropped, or freed once it was read.
OutputFrame OutputCursor::GapBefore(const OutputUpdate& update) const {
  return Gap(update, state_.begin,
             update.drops_oldest ? OutputGap::Reason::kCap : OutputGap::Reason::kAcknowledged);
}

OutputFrame OutputCursor::Gap(const OutputUpdate& update, int64_t to,
                              OutputGap::Reason reason) const {
  return {update.id, stream_, offset_, OutputGap{to, reason}};
}

OutputFrame OutputCursor::End(const OutputUpdate& update) const {
  return {update.id, stream_, offset_, OutputEnd{update.truncated}};
}

int64_t OutputCursor::EndOf(const OutputFrame& frame) {
  if (const auto* data = std::get_if<std::string>(&frame.content)) {
    return frame.offset + static_cast<int64_t>(data->size());
  }
  if (const auto* skip = std::get_if<OutputSkip>(&frame.content)) return skip->to;
  const auto* gap = std::get_if<OutputGap>(&frame.content);
  return gap != nullptr ? gap->to : frame.offset;
}

void OutputCursor::MoveTo(int64_t offset) {
  offset_ = offset;
  if (offset_ >= state_.end) reader_.Close();  // descriptors are few
}

}  // namespace shoal::agent
