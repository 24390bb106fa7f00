#include "agent/rpc/output_reader.h"

#include <algorithm>

#include "agent/os/output_search.h"
#include "agent/rpc/process_conversion.h"
#include "agent/rpc/status_to_grpc.h"

namespace shoal::agent {
namespace {

constexpr int64_t kFrameBytes = 32 << 10;
constexpr int kFramesPerTurn = 16;  // then another call has its turn
constexpr size_t kMaxOrder = 64;    // the order of streams is kept for so many reports
constexpr size_t kFrameOverhead = 64;

}  // namespace

OutputReader::OutputReader(int directory, std::array<bool, record::kStreams> wanted,
                           OutputStart start, std::shared_ptr<Stream> stream,
                           absl::AnyInvocable<void(const std::string&)> ask)
    : directory_(directory),
      wanted_(wanted),
      start_(std::move(start)),
      stream_(std::move(stream)),
      ask_(std::move(ask)) {}

void OutputReader::Tell(OutputUpdate update) {
  absl::MutexLock lock(&mu_);
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
  absl::MutexLock lock(&mu_);
  mail_final_ = true;
}

void OutputReader::TakeMail() {
  std::vector<std::string> order;
  absl::flat_hash_map<std::string, OutputUpdate> mail;
  {
    absl::MutexLock lock(&mu_);
    order.swap(mail_order_);
    mail.swap(mail_);
    final_ = mail_final_;
  }
  for (const std::string& id : order) Take(mail.at(id));
}

void OutputReader::Take(const OutputUpdate& update) {
  auto found = sources_.find(update.id);
  bool is_first = found == sources_.end();
  if (update.gone) {
    if (!is_first) TakeGone(found->second.get());
    return;
  }
  if (is_first) {
    found = sources_.emplace(update.id, std::make_unique<Source>()).first;
    found->second->id = update.id;
  }
  Source* source = found->second.get();
  source->last = update;
  for (int stream = 0; stream < record::kStreams; ++stream) TakeStream(source, stream, is_first);
  TakeTurn(source);
}

// What is not read by now is missing for good.
void OutputReader::TakeGone(Source* source) {
  source->last.complete = true;
  for (Cursor& cursor : source->cursors) {
    cursor.asked = false;
    cursor.unfound = true;
  }
  TakeTurn(source);
}

void OutputReader::TakeStream(Source* source, int stream, bool is_first) {
  const OutputUpdate& update = source->last;
  auto index = static_cast<size_t>(stream);
  if (is_first) {
    source->cursors.emplace_back(directory_, update.id, stream, update.segment_bytes);
    source->cursors.back().wanted = wanted_[index] && update.has[index];
  }
  Cursor& cursor = source->cursors[index];
  bool grew = update.streams[index].end > cursor.state.end;
  cursor.state = update.streams[index];
  if (update.checked && std::exchange(cursor.asked, false)) cursor.unfound = true;
  if (!cursor.wanted) return;
  if (!cursor.placed) Place(source, stream);
  if (!grew) return;
  if (!source->order.empty() && source->order.back().first == stream) source->order.pop_back();
  source->order.emplace_back(stream, cursor.state.end);
  if (source->order.size() > kMaxOrder) source->order.pop_front();
}

void OutputReader::TakeTurn(Source* source) {
  if (IsReady(*source) && !std::exchange(source->in_turn, true)) turns_.push_back(source);
}

void OutputReader::Place(Source* source, int stream) {
  Cursor& cursor = source->cursors[static_cast<size_t>(stream)];
  cursor.placed = true;
  const record::StreamState& state = cursor.state;
  auto resume = start_.resume.find({source->id, stream});
  if (resume != start_.resume.end()) {
    cursor.offset = resume->second;
    return;
  }
  if (source->last.is_new) return;
  switch (start_.from) {
    case OutputStart::From::kOffset:
      cursor.offset = start_.number;
      return;
    case OutputStart::From::kTailBytes:
      cursor.offset = std::max(state.begin, state.end - start_.number);
      return;
    case OutputStart::From::kTailLines: {
      absl::StatusOr<int64_t> offset =
          OffsetOfTailLines(cursor.reader, state, source->last.segment_bytes, start_.number);
      cursor.offset = offset.ok() ? *offset : state.begin;
      return;
    }
    case OutputStart::From::kSince:
      cursor.offset =
          OffsetSince(directory_, source->id, stream, state, start_.since, source->last.started);
      return;
  }
}

bool OutputReader::IsReady(const Source& source) const {
  return std::any_of(source.cursors.begin(), source.cursors.end(), [&](const Cursor& cursor) {
    if (!cursor.wanted || cursor.asked) return false;
    return cursor.offset < cursor.state.end || (source.last.complete && !cursor.ended);
  });
}

bool OutputReader::DoSome() {
  TakeMail();
  for (int i = 0; i < kFramesPerTurn && !turns_.empty(); ++i) {
    if (!stream_->HasRoom()) return false;  // its drained hook will wake us, or it has ended
    Source* source = turns_.front();
    Step step = PushOne(source);
    if (step == Step::kFull) return false;
    turns_.pop_front();
    source->in_turn = IsReady(*source);
    if (source->in_turn) turns_.push_back(source);
  }
  if (!turns_.empty()) return true;
  bool waits_for_answer = std::any_of(sources_.begin(), sources_.end(), [](const auto& source) {
    const std::vector<Cursor>& cursors = source.second->cursors;
    return std::any_of(cursors.begin(), cursors.end(), [](const Cursor& c) { return c.asked; });
  });
  if (final_ && !waits_for_answer) stream_->Close(grpc::Status::OK);
  return false;
}

// The stream whose report is the oldest not yet pushed, and how far that report goes.
int OutputReader::ChooseStream(Source* source, int64_t* up_to) {
  while (!source->order.empty()) {
    auto [stream, reported] = source->order.front();
    Cursor& cursor = source->cursors[static_cast<size_t>(stream)];
    if (cursor.offset < reported && !cursor.asked) {
      *up_to = reported;
      return stream;
    }
    source->order.pop_front();
  }
  for (int stream = 0; stream < record::kStreams; ++stream) {
    Cursor& cursor = source->cursors[static_cast<size_t>(stream)];
    *up_to = cursor.state.end;
    if (cursor.wanted && !cursor.asked && cursor.offset < cursor.state.end) return stream;
  }
  return -1;
}

OutputReader::Step OutputReader::PushOne(Source* source) {
  int64_t up_to = 0;
  int stream = ChooseStream(source, &up_to);
  if (stream >= 0) return PushData(source, stream, up_to);
  for (stream = 0; stream < record::kStreams; ++stream) {
    const Cursor& cursor = source->cursors[static_cast<size_t>(stream)];
    bool at_end = cursor.wanted && !cursor.asked && !cursor.ended && source->last.complete;
    if (at_end) return PushEnd(source, stream);
  }
  return Step::kIdle;
}

OutputReader::Step OutputReader::PushData(Source* source, int stream, int64_t up_to) {
  Cursor& cursor = source->cursors[static_cast<size_t>(stream)];
  if (cursor.offset < cursor.state.begin) {
    return PushGap(source, stream, cursor.state.begin,
                   source->last.drops_oldest ? v1::Gap::REASON_CAP : v1::Gap::REASON_ACKNOWLEDGED);
  }
  v1::ReadOutputResponse frame = FrameOf(*source, stream);
  std::string* data = frame.mutable_data();
  data->resize(static_cast<size_t>(std::min(up_to - cursor.offset, kFrameBytes)));
  absl::StatusOr<size_t> got = cursor.reader.Read(cursor.offset, data->data(), data->size());
  if (absl::IsNotFound(got.status()) || (got.ok() && *got == 0)) return OnMissing(source, stream);
  if (!got.ok()) {
    stream_->End(ToGrpc(got.status()));
    return Step::kFull;
  }
  cursor.unfound = false;
  data->resize(*got);
  Step step = Push(std::move(frame));
  if (step == Step::kPushed) cursor.offset += static_cast<int64_t>(*got);
  if (cursor.offset >= cursor.state.end) cursor.reader.Close();  // descriptors are few
  return step;
}

// A segment that should be there is not: perhaps the loop knows by now that it was dropped.
OutputReader::Step OutputReader::OnMissing(Source* source, int stream) {
  Cursor& cursor = source->cursors[static_cast<size_t>(stream)];
  if (!cursor.unfound) {
    cursor.asked = true;
    ask_(source->id);
    return Step::kIdle;
  }
  int64_t segment_end =
      (cursor.offset / source->last.segment_bytes + 1) * source->last.segment_bytes;
  return PushGap(source, stream, std::min(segment_end, cursor.state.end), v1::Gap::REASON_MISSING);
}

OutputReader::Step OutputReader::PushGap(Source* source, int stream, int64_t to,
                                         v1::Gap::Reason reason) {
  Cursor& cursor = source->cursors[static_cast<size_t>(stream)];
  v1::ReadOutputResponse frame = FrameOf(*source, stream);
  frame.mutable_gap()->set_from(cursor.offset);
  frame.mutable_gap()->set_to(to);
  frame.mutable_gap()->set_reason(reason);
  Step step = Push(std::move(frame));
  if (step == Step::kPushed) cursor.offset = to;
  return step;
}

OutputReader::Step OutputReader::PushEnd(Source* source, int stream) {
  Cursor& cursor = source->cursors[static_cast<size_t>(stream)];
  v1::ReadOutputResponse frame = FrameOf(*source, stream);
  frame.mutable_end()->set_truncated(source->last.truncated);
  Step step = Push(std::move(frame));
  cursor.ended = step == Step::kPushed;
  return step;
}

v1::ReadOutputResponse OutputReader::FrameOf(const Source& source, int stream) const {
  v1::ReadOutputResponse frame;
  frame.set_id(source.id);
  frame.set_stream(ToKind(stream));
  frame.set_offset(source.cursors[static_cast<size_t>(stream)].offset);
  return frame;
}

OutputReader::Step OutputReader::Push(v1::ReadOutputResponse&& frame) {
  size_t bytes = frame.data().size() + kFrameOverhead;
  return stream_->Push(std::move(frame), bytes) ? Step::kPushed : Step::kFull;
}

}  // namespace shoal::agent
