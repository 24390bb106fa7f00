#include "agent/output/output_reader.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <variant>

#include "absl/algorithm/container.h"

namespace shoal::agent {
namespace {

constexpr int kFramesPerTurn = 16;  // then another reader has its turn
constexpr size_t kMaxOrder = 64;    // the order of streams is kept for so many reports

}  // namespace

OutputReader::OutputReader(int directory, WantedStreams wanted, OutputStart start, OutputForm form,
                           std::shared_ptr<OutputSink> sink,
                           absl::AnyInvocable<void(const std::string&)> ask)
    : directory_(directory),
      wanted_(wanted),
      start_(std::move(start)),
      form_(form),
      sink_(std::move(sink)),
      ask_(std::move(ask)) {}

void OutputReader::Tell(OutputUpdate update) {
  MutexLock lock(&mu_);
  auto [mail, is_new] = mail_.try_emplace(update.id);
  if (is_new) {
    mail_order_.push_back(update.id);
  } else if (update.gone) {
    mail->second.complete = mail->second.checked = true;
    return;
  } else {
    update.is_new |= mail->second.is_new;
    update.checked |= mail->second.checked;
  }
  mail->second = std::move(update);
}

void OutputReader::TellFinal() {
  MutexLock lock(&mu_);
  mail_final_ = true;
}

void OutputReader::TakeMail() {
  std::vector<std::string> order;
  absl::flat_hash_map<std::string, OutputUpdate> mail;
  {
    MutexLock lock(&mu_);
    order.swap(mail_order_);
    mail.swap(mail_);
    final_ = mail_final_;
  }
  for (const std::string& id : order) Take(mail.at(id));
}

void OutputReader::Take(const OutputUpdate& update) {
  auto found = sources_.find(update.id);
  if (update.gone || update.checked) asked_.erase(update.id);
  if (update.gone) {
    if (found == sources_.end()) return;
    found->second->last.complete = true;
    for (OutputCursor& cursor : found->second->cursors) cursor.TakeGone();
    return TakeTurn(found->second.get());
  }
  if (found == sources_.end()) {
    found = sources_.emplace(update.id, std::make_unique<Source>()).first;
    found->second->number = sources_.size();
    for (int stream = 0; stream < record::kStreams; ++stream) {
      const auto index = static_cast<size_t>(stream);
      found->second->cursors.emplace_back(directory_, update, stream,
                                          wanted_[index] && update.has[index]);
    }
  }
  Source* source = found->second.get();
  source->last = update;
  for (int stream = 0; stream < record::kStreams; ++stream) TakeStream(source, stream);
  TakeTurn(source);
}

void OutputReader::TakeStream(Source* source, int stream) {
  OutputCursor& cursor = source->cursors[static_cast<size_t>(stream)];
  if (!cursor.Take(source->last, start_)) return;
  if (!source->order.empty() && source->order.back().first == stream) source->order.pop_back();
  source->order.emplace_back(stream, cursor.stream_end());
  if (source->order.size() > kMaxOrder) source->order.pop_front();
}

void OutputReader::TakeTurn(Source* source) {
  const bool is_ready = absl::c_any_of(source->cursors, [source](const OutputCursor& cursor) {
    return cursor.HasBytes() || (source->last.complete && cursor.OwesEnd());
  });
  if (!is_ready || (source->turn.has_value() && !form_.by_time)) return;
  if (source->turn.has_value()) turns_.erase(*source->turn);
  source->turn = form_.by_time ? Turn{OldestOf(source), source->number}
                               : Turn{absl::InfinitePast(), ++turn_count_};
  turns_.emplace(*source->turn, source);
}

// Of what it has to push; an end is due at once.
absl::Time OutputReader::OldestOf(Source* source) {
  absl::Time oldest = absl::InfiniteFuture();
  for (OutputCursor& cursor : source->cursors) {
    if (cursor.HasBytes()) {
      oldest = std::min(oldest, cursor.NextTime());
    } else if (source->last.complete && cursor.OwesEnd()) {
      return absl::InfinitePast();
    }
  }
  return oldest;
}

bool OutputReader::DoSome() {
  TakeMail();
  sink_->Hold();
  const bool is_more = PushSome();
  sink_->Release();
  return is_more;
}

bool OutputReader::PushSome() {
  for (int i = 0; i < kFramesPerTurn && !turns_.empty(); ++i) {
    // What is asked about may be older than all else.
    if (form_.by_time && !asked_.empty()) return false;
    if (!sink_->HasRoom()) return false;  // it will wake us once there is room, or it has ended
    Source* source = turns_.begin()->second;
    if (!PushOne(source)) return false;
    turns_.erase(*source->turn);
    source->turn.reset();
    TakeTurn(source);
  }
  if (!turns_.empty()) return true;
  if (final_ && asked_.empty()) sink_->Close();
  return false;
}

// The stream whose report is the oldest not yet pushed, and how far that report goes.
OutputCursor* OutputReader::ChooseCursor(Source* source, int64_t* up_to) {
  for (; !source->order.empty(); source->order.pop_front()) {
    auto [stream, reported] = source->order.front();
    OutputCursor& cursor = source->cursors[static_cast<size_t>(stream)];
    *up_to = reported;
    if (cursor.HasBytesBefore(reported)) return &cursor;
  }
  for (OutputCursor& cursor : source->cursors) {
    *up_to = cursor.stream_end();
    if (cursor.HasBytes()) return &cursor;
  }
  return nullptr;
}

// The stream whose next byte is the oldest, and how far it goes until another one has an older one; null: an end is due
// before that. REQUIRES: `source` is the first in turns_.
OutputCursor* OutputReader::ChooseOldest(Source* source, int64_t* up_to) {
  OutputCursor* oldest = nullptr;
  absl::Time oldest_time;
  absl::Time next = absl::InfiniteFuture();  // of what others have
  if (turns_.size() > 1) next = std::next(turns_.begin())->first.first;
  for (OutputCursor& cursor : source->cursors) {
    if (!cursor.HasBytes()) {
      if (source->last.complete && cursor.OwesEnd()) return nullptr;
      continue;
    }
    const absl::Time time = cursor.NextTime();
    const bool is_older = oldest == nullptr || time < oldest_time;
    if (oldest != nullptr) next = std::min(next, is_older ? oldest_time : time);
    if (!is_older) continue;
    oldest = &cursor;
    oldest_time = time;
  }
  if (oldest != nullptr) *up_to = std::min(oldest->stream_end(), oldest->EndOfThoseBy(next));
  return oldest;
}

bool OutputReader::PushOne(Source* source) {
  int64_t up_to = 0;
  OutputCursor* cursor =
      form_.by_time ? ChooseOldest(source, &up_to) : ChooseCursor(source, &up_to);
  if (cursor != nullptr) return PushBytes(source, cursor, up_to);
  return !source->last.complete || PushEnd(source);
}

bool OutputReader::PushBytes(Source* source, OutputCursor* cursor, int64_t up_to) {
  absl::Time time = absl::InfinitePast();
  if (form_.times) {
    time = cursor->NextTime();
    up_to = std::min(up_to, cursor->EndOfTime());
  }
  absl::StatusOr<std::optional<OutputFrame>> frame =
      form_.gaps_only ? cursor->NextGap(source->last, up_to)
                      : cursor->Next(source->last, up_to, form_.frame_bytes);
  if (!frame.ok()) {
    sink_->Fail(frame.status());
    return false;
  }
  if (!frame->has_value()) {
    asked_.insert(source->last.id);
    ask_(source->last.id);
    return true;
  }
  (*frame)->time = time;
  const int64_t end = OutputCursor::EndOf(**frame);
  const bool is_skip = std::holds_alternative<OutputSkip>((*frame)->content);
  if (!is_skip && !sink_->Push(**std::move(frame))) return false;
  cursor->MoveTo(end);
  return true;
}

bool OutputReader::PushEnd(Source* source) {
  auto cursor = absl::c_find_if(source->cursors,
                                [](const auto& one) { return one.OwesEnd() && !one.HasBytes(); });
  if (cursor == source->cursors.end()) return true;
  if (!sink_->Push(cursor->End(source->last))) return false;
  cursor->SetEnded();
  return true;
}

}  // namespace shoal::agent
