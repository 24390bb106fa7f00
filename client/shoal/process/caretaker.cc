#include "shoal/process/caretaker.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "shoal/duration.h"
#include "shoal/error.h"

namespace shoal::internal {
namespace {

constexpr absl::Duration kLongestCall = absl::Seconds(2);
constexpr absl::Duration kShortestPause = absl::Milliseconds(100);
constexpr absl::Duration kLongestPause = absl::Seconds(5);

CallOptions Briefly() {
  CallOptions options;
  options.timeout = options.patience = kLongestCall;
  return options;
}

bool IsInUse(const absl::Status& status) {
  const std::optional<v1::ErrorInfo> info = ErrorInfoOf(status);
  return info.has_value() && info->reason() == "SESSION_IN_USE";
}

// Nothing is known of the session by it.
bool SaysNothing(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsCancelled(status) || absl::IsResourceExhausted(status);
}

}  // namespace

Caretaker::Caretaker(std::shared_ptr<Host> host, std::string session_id, OnNews on_news)
    : host_(std::move(host)),
      session_id_(std::move(session_id)),
      on_news_(std::move(on_news)),
      thread_([this] { Watch(); }) {}

Caretaker::~Caretaker() {
  over_.Notify();
  thread_.join();
}

bool Caretaker::is_held() const {
  MutexLock lock(&mu_);
  return session_ != nullptr && session_->status().ok();
}

void Caretaker::Watch() {
  absl::Duration pause = Look();
  while (pause > absl::ZeroDuration() && !over_.WaitForNotificationWithTimeout(pause)) {
    pause = Look();
  }
}

absl::Duration Caretaker::Look() {
  const absl::StatusOr<v1::Session> session = host_->GetSession(session_id_, Briefly());
  if (absl::IsNotFound(session.status()))
    return absl::ZeroDuration();  // its processes tell the rest
  // An agent that does not tell when it lapses knows no Takeover.
  if (session.ok() && !session->has_expires_in()) return absl::ZeroDuration();
  if (!session.ok()) return SaysNothing(session.status()) ? kShortestPause : absl::ZeroDuration();
  const absl::Duration ttl = FromProto(session->ttl());
  const absl::Duration too_long = ttl * 2 / 3;
  const absl::Duration unrenewed = ttl - FromProto(session->expires_in());
  if (unrenewed >= too_long && TakeOver(too_long)) return absl::ZeroDuration();
  return std::clamp(ttl / 6, kShortestPause, kLongestPause);
}

bool Caretaker::TakeOver(absl::Duration unrenewed_for) {
  TakeoverOptions options;
  options.unrenewed_for = unrenewed_for;
  options.on_lost = on_news_;
  absl::StatusOr<std::unique_ptr<Session>> taken =
      Session::TakeOver(host_, session_id_, std::move(options), Briefly());
  if (!taken.ok() && (IsInUse(taken.status()) || SaysNothing(taken.status()))) return false;
  if (absl::IsNotFound(taken.status())) return true;
  const absl::Status news = taken.status();
  if (taken.ok()) {
    MutexLock lock(&mu_);
    session_ = *std::move(taken);
  }
  on_news_(news);
  return true;
}

}  // namespace shoal::internal
