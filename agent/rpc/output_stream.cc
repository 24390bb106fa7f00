#include "agent/rpc/output_stream.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/rpc/commands.h"
#include "agent/rpc/process_conversion.h"
#include "agent/rpc/request_checks.h"
#include "agent/rpc/status_to_grpc.h"
#include "agent/rpc/time_conversion.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

// One frame waits while one is written; a stalled reader costs those and gRPC's copy of the latter.
constexpr size_t kQueueBytes = 32 << 10;
constexpr absl::string_view kStreamNames[record::kStreams] = {"stdout", "stderr", "result"};

absl::Status CheckNotNegative(absl::string_view field, int64_t number) {
  if (number >= 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(field, " is ", number, ": must not be negative"));
}

absl::StatusOr<OutputStart> ToStart(const v1::ReadOutputRequest& request) {
  OutputStart start;
  switch (request.start_case()) {
    case v1::ReadOutputRequest::kOffset:
      SHOAL_RETURN_IF_ERROR(CheckNotNegative("offset", request.offset()));
      start.number = request.offset();
      break;
    case v1::ReadOutputRequest::kTailBytes:
      SHOAL_RETURN_IF_ERROR(CheckNotNegative("tail_bytes", request.tail_bytes()));
      start.from = OutputStart::From::kTailBytes;
      start.number = request.tail_bytes();
      break;
    case v1::ReadOutputRequest::kTailLines:
      SHOAL_RETURN_IF_ERROR(CheckNotNegative("tail_lines", request.tail_lines()));
      start.from = OutputStart::From::kTailLines;
      start.number = request.tail_lines();
      break;
    case v1::ReadOutputRequest::kSince: {
      start.from = OutputStart::From::kSince;
      SHOAL_ASSIGN_OR_RETURN(start.since, ToTime(request.since(), "since"));
      break;
    }
    case v1::ReadOutputRequest::START_NOT_SET:
      break;
  }
  SHOAL_RETURN_IF_ERROR(CheckCount("resume", request.resume_size(), kMaxPositions));
  for (const v1::OutputPosition& position : request.resume()) {
    SHOAL_ASSIGN_OR_RETURN(int stream, ToStream(position.stream()));
    SHOAL_RETURN_IF_ERROR(CheckNotNegative("resume: offset", position.offset()));
    start.resume[{position.id(), stream}] = position.offset();
  }
  return start;
}

OutputUpdate UpdateOf(const ProcessEntry& process) {
  OutputUpdate update;
  update.id = process.id;
  update.streams = process.streams;
  update.segment_bytes = process.segment_bytes;
  update.started = process.start_time.value_or(absl::InfinitePast());
  for (int stream = 0; stream < record::kStreams; ++stream) {
    update.has[static_cast<size_t>(stream)] = process.spec->HasStream(stream);
  }
  update.complete = process.output_complete;
  update.truncated = (process.flags & kFlagOutputTruncated) != 0;
  update.drops_oldest = process.spec->drop_oldest;
  return update;
}

}  // namespace

absl::StatusOr<OutputQuery> ToQuery(const v1::ReadOutputRequest& request) {
  OutputQuery query;
  SHOAL_ASSIGN_OR_RETURN(query.selector, ToSelectorOfSome(request.selector()));
  SHOAL_RETURN_IF_ERROR(CheckCount("streams", request.streams_size(), 16));
  if (request.streams_size() == 0) query.wanted = {true, true, /*result*/ false};
  for (int kind : request.streams()) {
    SHOAL_ASSIGN_OR_RETURN(int stream, ToStream(kind));
    query.wanted[static_cast<size_t>(stream)] = true;
  }
  SHOAL_ASSIGN_OR_RETURN(query.start, ToStart(request));
  query.follow = request.follow();
  return query;
}

grpc::ServerWriteReactor<v1::ReadOutputResponse>* OutputStream::Begin(
    const Edge* edge, const v1::ReadOutputRequest& request) {
  auto stream = OutputReader::Stream::Begin(edge->calls, kQueueBytes);
  absl::StatusOr<OutputQuery> query = ToQuery(request);
  if (!query.ok()) {
    stream->End(ToGrpc(query.status()));
    return stream.get();
  }
  std::shared_ptr<OutputStream> output(new OutputStream(edge, *std::move(query), stream));
  auto ask = [weak = std::weak_ptr<OutputStream>(output), edge](const std::string& id) {
    edge->loop->Post([weak, id] {
      if (std::shared_ptr<OutputStream> asked = weak.lock()) asked->Answer(id);
    });
  };
  output->reader_ = std::make_shared<OutputReader>(edge->output_directory, output->query_.wanted,
                                                   output->query_.start, stream, ask);
  stream->SetHooks([output] { output->Wake(); },
                   [output] { output->edge_->loop->Post([output] { output->Stop(); }); });
  edge->loop->Post([output] { output->Subscribe(); });
  return stream.get();
}

OutputStream::OutputStream(const Edge* edge, OutputQuery query,
                           std::shared_ptr<OutputReader::Stream> stream)
    : edge_(edge), query_(std::move(query)), stream_(std::move(stream)) {}

absl::Status OutputStream::CheckOffsets(const std::vector<const ProcessEntry*>& selected) const {
  bool absolute = query_.start.from == OutputStart::From::kOffset && query_.start.number > 0;
  auto streams = std::count(query_.wanted.begin(), query_.wanted.end(), true);
  if (absolute && (selected.size() != 1 || streams != 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("offset ", query_.start.number,
                     " needs exactly one process and one of streams; use resume for several"));
  }
  for (const ProcessEntry* process : selected) {
    for (int stream = 0; stream < record::kStreams; ++stream) {
      auto index = static_cast<size_t>(stream);
      if (!query_.wanted[index]) continue;
      auto resume = query_.start.resume.find({process->id, stream});
      int64_t offset = absolute ? query_.start.number : 0;
      if (resume != query_.start.resume.end()) offset = resume->second;
      if (offset <= process->streams[index].end) continue;
      return absl::OutOfRangeError(absl::StrCat("offset ", offset, " is beyond the end ",
                                                process->streams[index].end, " of ",
                                                kStreamNames[stream], " of ", process->id));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<const ProcessEntry*>> OutputStream::SelectChecked() const {
  SHOAL_ASSIGN_OR_RETURN(std::vector<const ProcessEntry*> selected,
                         edge_->supervisor->Select(query_.selector));
  SHOAL_RETURN_IF_ERROR(CheckOffsets(selected));
  return selected;
}

void OutputStream::Subscribe() {
  if (stream_->IsEnding()) return;
  absl::StatusOr<std::vector<const ProcessEntry*>> selected = SelectChecked();
  if (!selected.ok()) return stream_->End(ToGrpc(selected.status()));
  if (query_.follow) edge_->supervisor->AddObserver(this);
  subscribed_ = query_.follow;
  for (const ProcessEntry* process : *selected) Tell(*process, /*is_new=*/false, false);
  session_over_ = true;
  for (const SessionEntry* session : edge_->supervisor->Sessions()) {
    if (session->id == query_.selector.session_id) session_over_ = false;
  }
  MaybeEnd();
  Wake();
}

void OutputStream::Stop() {
  if (subscribed_) edge_->supervisor->RemoveObserver(this);
  subscribed_ = false;
}

void OutputStream::Tell(const ProcessEntry& process, bool is_new, bool checked) {
  auto [followed, first] = followed_.try_emplace(process.id, false);
  if (first) ++incomplete_;
  if (process.output_complete && !std::exchange(followed->second, true)) --incomplete_;
  OutputUpdate update = UpdateOf(process);
  update.is_new = is_new && first;
  update.checked = checked;
  reader_->Tell(std::move(update));
}

// The reader found no segment where it was told there is one.
void OutputStream::Answer(const std::string& id) {
  const ProcessEntry* process = edge_->supervisor->Find(id);
  if (process != nullptr) {
    Tell(*process, /*is_new=*/false, /*checked=*/true);
  } else {
    TellGone(id);
  }
  Wake();
}

void OutputStream::TellGone(const std::string& id) {
  OutputUpdate update;
  update.id = id;
  update.gone = true;
  reader_->Tell(std::move(update));
}

void OutputStream::OnOutput(const ProcessEntry& process) {
  if (!followed_.contains(process.id)) return;
  Tell(process, /*is_new=*/false, /*checked=*/false);
  MaybeEnd();
  Wake();
}

void OutputStream::OnChanged(const ProcessEntry& process) {
  bool is_new = !followed_.contains(process.id);
  if (is_new && (!query_.selector.IsOpen() || !Matches(query_.selector, process))) return;
  Tell(process, is_new, /*checked=*/false);
  MaybeEnd();
  Wake();
}

void OutputStream::OnDeleted(const std::string& id, int64_t revision) {
  static_cast<void>(revision);
  auto followed = followed_.find(id);
  if (followed == followed_.end()) return;
  if (!followed->second) --incomplete_;
  followed_.erase(followed);
  TellGone(id);
  MaybeEnd();
  Wake();
}

void OutputStream::OnSessionOver(const std::string& session_id) {
  if (session_id != query_.selector.session_id) return;
  session_over_ = true;
  MaybeEnd();
  Wake();
}

void OutputStream::MaybeEnd() {
  bool more_may_come =
      query_.selector.IsOpen() && (query_.selector.session_id.empty() || !session_over_);
  bool over = !query_.follow || (incomplete_ == 0 && !more_may_come);
  if (over && !std::exchange(told_final_, true)) reader_->TellFinal();
}

void OutputStream::Wake() { edge_->output->Wake(reader_); }

}  // namespace shoal::agent
