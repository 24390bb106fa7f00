#include "shoal/input.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/boot_time.h"
#include "common/ids.h"
#include "common/status.h"
#include "shoal/duration.h"

namespace shoal {
namespace {

// One call waits no longer for room, so that a connection that died unseen costs no more.
constexpr absl::Duration kPatience = absl::Seconds(30);
constexpr absl::Duration kAnswerMargin = absl::Seconds(5);

}  // namespace

Input::Input(std::shared_ptr<Host> host, std::string process)
    : host_(std::move(host)), process_(std::move(process)), writer_(NewId()) {}

absl::StatusOr<v1::InputPosition> Input::Position(absl::Duration timeout) {
  v1::WriteInputRequest request;
  request.set_selector(process_);
  CallOptions options;
  options.timeout = timeout;
  SHOAL_ASSIGN_OR_RETURN(v1::WriteInputResponse answer,
                         host_->WriteInput(std::move(request), options));
  return answer.position();
}

absl::Status Input::SetHold(absl::Duration span, bool steal, absl::Duration timeout) {
  v1::WriteInputRequest request;
  request.set_selector(process_);
  request.set_writer(writer_);
  *request.mutable_hold() = ToProto(span);
  request.set_steal(steal);
  SHOAL_ASSIGN_OR_RETURN(const v1::WriteInputResponse answer,
                         host_->WriteInput(std::move(request), CallOptions{.timeout = timeout}));
  if (!offset_.has_value()) offset_ = answer.position().kept_offset();
  return absl::OkStatus();
}

absl::Status Input::Hold(bool steal) { return SetHold(kInputHold, steal, absl::Seconds(30)); }
absl::Status Input::Release(absl::Duration timeout) {
  return SetHold(absl::ZeroDuration(), /*steal=*/false, timeout);
}

absl::Status Input::Begin(absl::Duration timeout) {
  if (offset_.has_value()) return absl::OkStatus();
  SHOAL_ASSIGN_OR_RETURN(v1::InputPosition position,
                         Position(std::min(timeout, kPatience + kAnswerMargin)));
  offset_ = position.kept_offset();
  return absl::OkStatus();
}

absl::Status Input::Send(absl::string_view data, bool end, v1::WriteInputRequest::Until until,
                         absl::Duration timeout) {
  const BootTime deadline = BootTime::Now() + timeout;
  SHOAL_RETURN_IF_ERROR(Begin(timeout));
  int64_t sent = 0;  // of `data`
  const int64_t begin = *offset_;
  const auto size = static_cast<int64_t>(data.size());
  while (true) {
    const absl::Duration left = deadline - BootTime::Now();
    if (left <= absl::ZeroDuration()) {
      return absl::DeadlineExceededError(absl::StrCat("the input of ", process_, " is kept up to ",
                                                      *offset_, ", not up to ", begin + size));
    }
    const absl::string_view piece = data.substr(static_cast<size_t>(sent), kMaxInputPiece);
    const bool is_last = sent + static_cast<int64_t>(piece.size()) == size;
    v1::WriteInputRequest request;
    request.set_selector(process_);
    request.set_offset(begin + sent);
    request.set_data(std::string(piece));
    request.set_end(end && is_last);
    request.set_writer(writer_);
    request.set_until(is_last ? until : v1::WriteInputRequest::UNTIL_KEPT);
    CallOptions options;
    options.timeout = std::min(left, kPatience) + kAnswerMargin;
    absl::StatusOr<v1::WriteInputResponse> answer = host_->WriteInput(std::move(request), options);
    if (absl::IsDeadlineExceeded(answer.status())) continue;
    if (!answer.ok()) return answer.status();
    sent = std::clamp<int64_t>(answer->position().kept_offset() - begin, sent, size);
    offset_ = begin + sent;
    if (is_last && !answer->timed_out()) return absl::OkStatus();
  }
}

absl::Status Input::Write(absl::string_view data, absl::Duration timeout) {
  if (data.empty()) return absl::OkStatus();
  return Send(data, /*end=*/false, v1::WriteInputRequest::UNTIL_KEPT, timeout);
}

absl::Status Input::Close(absl::Duration timeout) {
  return Send("", /*end=*/true, v1::WriteInputRequest::UNTIL_KEPT, timeout);
}

absl::Status Input::AwaitTaken(absl::Duration timeout) {
  return Send("", /*end=*/false, v1::WriteInputRequest::UNTIL_TAKEN, timeout);
}

}  // namespace shoal
