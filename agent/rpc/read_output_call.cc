#include "agent/rpc/read_output_call.h"

#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "agent/output/output_follower.h"
#include "agent/output/output_sink.h"
#include "agent/rpc/commands.h"
#include "agent/rpc/process_conversion.h"
#include "agent/rpc/request_checks.h"
#include "agent/rpc/status_to_grpc.h"
#include "agent/rpc/stream_reactor.h"
#include "agent/spec/field_checks.h"
#include "agent/spec/time_conversion.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

using Stream = StreamReactor<v1::ReadOutputResponse>;

// One frame waits while one is written; a stalled reader costs those and gRPC's copy of the latter.
constexpr size_t kQueueBytes = 32 << 10;
constexpr size_t kFrameOverhead = 64;

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

v1::Gap::Reason ToProto(OutputGap::Reason reason) {
  switch (reason) {
    case OutputGap::Reason::kCap:
      return v1::Gap::REASON_CAP;
    case OutputGap::Reason::kAcknowledged:
      return v1::Gap::REASON_ACKNOWLEDGED;
    case OutputGap::Reason::kMissing:
      return v1::Gap::REASON_MISSING;
  }
  return v1::Gap::REASON_UNSPECIFIED;
}

v1::ReadOutputResponse ToProto(OutputFrame&& frame) {
  v1::ReadOutputResponse response;
  response.set_id(std::move(frame.id));
  response.set_stream(ToKind(frame.stream));
  response.set_offset(frame.offset);
  if (auto* data = std::get_if<std::string>(&frame.content)) {
    response.set_data(std::move(*data));
  } else if (const auto* gap = std::get_if<OutputGap>(&frame.content)) {
    response.mutable_gap()->set_from(frame.offset);
    response.mutable_gap()->set_to(gap->to);
    response.mutable_gap()->set_reason(ToProto(gap->reason));
  } else {
    response.mutable_end()->set_truncated(std::get<OutputEnd>(frame.content).truncated);
  }
  if (frame.time != absl::InfinitePast()) SetTime(frame.time, response.mutable_time());
  return response;
}

class StreamSink final : public OutputSink {
 public:
  explicit StreamSink(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}

  bool HasRoom() override { return stream_->HasRoom(); }
  bool Push(OutputFrame&& frame) override {
    v1::ReadOutputResponse response = ToProto(std::move(frame));
    const size_t bytes = response.data().size() + kFrameOverhead;
    return stream_->Push(std::move(response), bytes);
  }
  void Hold() override { stream_->Hold(); }
  void Release() override { stream_->Release(); }
  void Close() override { stream_->Close(grpc::Status::OK); }
  void Fail(const absl::Status& status) override { stream_->End(ToGrpc(status)); }
  bool IsEnding() const override { return stream_->IsEnding(); }

 private:
  const std::shared_ptr<Stream> stream_;
};

}  // namespace

absl::StatusOr<OutputQuery> ToQuery(const v1::ReadOutputRequest& request, const Permit& permit) {
  OutputQuery query{permit};
  SHOAL_ASSIGN_OR_RETURN(query.selector, ToSelectorOfSome(request.selector()));
  SHOAL_RETURN_IF_ERROR(CheckCount("streams", request.streams_size(), 16));
  if (request.streams_size() == 0) {
    query.wanted[record::kStdout] = query.wanted[record::kStderr] = true;
  }
  for (int kind : request.streams()) {
    SHOAL_ASSIGN_OR_RETURN(int stream, ToStream(kind));
    query.wanted[static_cast<size_t>(stream)] = true;
  }
  SHOAL_ASSIGN_OR_RETURN(query.start, ToStart(request));
  query.form = {request.by_time(), request.times(), request.gaps_only()};
  if (request.gaps_only() && (request.follow() || request.by_time() || request.times())) {
    return absl::InvalidArgumentError(
        "gaps_only: must not be set with follow, by_time or times: it is about what is kept now");
  }
  query.follow = request.follow();
  return query;
}

grpc::ServerWriteReactor<v1::ReadOutputResponse>* BeginReadOutput(
    const Edge* edge, const absl::StatusOr<Permit>& permit, const v1::ReadOutputRequest& request) {
  std::shared_ptr<Stream> stream = Stream::Begin(edge, permit, request, kQueueBytes);
  absl::StatusOr<OutputQuery> query = permit.ok() ? ToQuery(request, *permit) : permit.status();
  if (!query.ok()) {
    stream->End(ToGrpc(query.status()));
    return stream.get();
  }
  using Kind = CallQuota::Kind;
  // By exact names it follows what is there, each by its id.
  const bool is_wide = query->follow && query->selector.IsOpen() && query->selector.IsWide();
  auto lease = edge->quota->Take(is_wide ? Kind::kWideStream : Kind::kStream, *permit);
  if (!lease.ok()) {
    stream->End(ToGrpc(lease.status()));
    return stream.get();
  }
  std::shared_ptr<OutputFollower> follower = OutputFollower::Create(
      &edge->output, *std::move(query), std::make_shared<StreamSink>(stream));
  stream->SetHooks([follower] { follower->OnRoom(); },
                   [follower, lease = *std::move(lease)] { follower->Stop(); });
  follower->Begin();
  return stream.get();
}

}  // namespace shoal::agent
