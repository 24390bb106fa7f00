#include "shoal/host/wait_call.h"

#include <algorithm>
#include <utility>

#include "shoal/duration.h"

namespace shoal {
namespace {

constexpr absl::Duration kLongestPiece = absl::Minutes(1);
// An agent that does not answer makes no wait longer than that; a piece that others follow may take
// its time.
constexpr absl::Duration kLastMargin = absl::Seconds(1);
constexpr absl::Duration kAnswerMargin = absl::Seconds(5);

}  // namespace

void WaitCall::Run(Link* link, v1::WaitRequest request, const CallOptions& options,
                   Done<v1::WaitResponse> done) {
  std::shared_ptr<WaitCall>(new WaitCall(link, std::move(request), options, std::move(done)))
      ->Next();
}

WaitCall::WaitCall(Link* link, v1::WaitRequest request, const CallOptions& options,
                   Done<v1::WaitResponse> done)
    : link_(link),
      request_(std::move(request)),
      options_(options),
      deadline_(BootTime::Now() + options.timeout),
      done_(std::move(done)) {}

void WaitCall::Next() {
  absl::Duration left = std::max(deadline_ - BootTime::Now(), absl::ZeroDuration());
  absl::Duration piece = std::min(left, kLongestPiece);
  *request_.mutable_timeout() = ToProto(piece);
  options_.timeout = piece + (piece < left ? kAnswerMargin : kLastMargin);
  link_->Wait(request_, options_,
              [self = shared_from_this()](absl::StatusOr<v1::WaitResponse> answer) {
                self->OnAnswer(std::move(answer));
              });
}

void WaitCall::OnAnswer(absl::StatusOr<v1::WaitResponse> answer) {
  bool is_over = BootTime::Now() >= deadline_;
  if (answer.ok() && answer->timed_out() && !is_over) return Next();
  std::move(done_)(std::move(answer));
}

}  // namespace shoal
