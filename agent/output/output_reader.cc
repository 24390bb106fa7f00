#include "agent/output/output_reader.h"

#include <algorithm>
#include <optional>

#include "absl/algorithm/container.h"

namespace shoal::agent {
namespace {

constexpr int kFramesPerTurn = 16;  // then another reader has its turn
constexpr size_t kMaxOrder = 64;    // the order of streams is kept for so many reports

}  // namespace

OutputReader::OutputReader(int directory, WantedStreams wanted, OutputStart start,
                           std::shared_ptr<OutputSink> sink,
                           absl::AnyInvocable<void(const std::string&)> ask)
    : directory_(directory),
      wanted_(wanted),
      start_(std::move(start)),
      sink_(std::move(sink)),
      ask_(std::move(ask)) {}

void OutputReader::Tell(OutputUpdate update) {
  MutexLock lock(&mu_);
  auto [mail, is_new] = mail_.try_emplace(update.id);
  if (is_new) {
    mail_order_.push_back(update.id);
  } else if (update.gone) {
    mail->second.complete = true;
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
  if (update.gone) {
    if (found == sources_.end()) return;
    found->second->last.complete = true;
    for (OutputCursor& cursor : found->second->cursors) cursor.TakeGone();
    return TakeTurn(found->second.get());
  }
  if (found == sources_.end()) {
    found = sources_.emplace(update.id, std::make_unique<Source>()).first;
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
  if (is_ready && !std::exchange(source->in_turn, true)) turns_.push_back(source);
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
    if (!sink_->HasRoom()) return false;  // it will wake us once there is room, or it has ended
    Source* source = turns_.front();
    if (!PushOne(source)) return false;
    turns_.pop_front();
    source->in_turn = false;
    TakeTurn(source);
  }
  if (!turns_.empty()) return true;
  if (final_ && !AwaitsAnswer()) sink_->Close();
  return false;
}

bool OutputReader::AwaitsAnswer() const {
  return absl::c_any_of(sources_, [](const auto& source) {
    return absl::c_any_of(source.second->cursors,
                          [](const OutputCursor& cursor) { return cursor.awaits_answer(); });
  });
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

bool OutputReader::PushOne(Source* source) {
  int64_t up_to = 0;
  OutputCursor* cursor = ChooseCursor(source, &up_to);
  if (cursor == nullptr) return !source->last.complete || PushEnd(source);
  absl::StatusOr<std::optional<OutputFrame>> frame = cursor->Next(source->last, up_to);
  if (!frame.ok()) {
    sink_->Fail(frame.status());
    return false;
  }
  if (!frame->has_value()) {
    ask_(source->last.id);
    return true;
  }
  const int64_t end = OutputCursor::EndOf(**frame);
  if (!sink_->Push(**std::move(frame))) return false;
  cursor->MoveTo(end);
  return true;
}

bool OutputReader::PushEnd(Source* source) {
  auto cursor = absl::c_find_if(source->cursors, [](const auto& one) { return one.OwesEnd(); });
  if (cursor == source->cursors.end()) return true;
  if (!sink_->Push(cursor->End(source->last))) return false;
  cursor->SetEnded();
  return true;
}

}  // namespace shoal::agent
