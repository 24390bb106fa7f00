#include "client/cli/attached_session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/units.h"
#include "common/ids.h"
#include "common/status.h"
#include "shoal/duration.h"

namespace shoal::cli {
namespace {

constexpr absl::Duration kTimeToLeave = absl::Seconds(2);

CallOptions Briefly() {
  CallOptions options;
  options.timeout = options.patience = kTimeToLeave;
  return options;
}

// Why it could not be made DETACHED; OK: it was.
absl::Status Keep(Host& host, const std::string& id) {
  v1::UpdateRequest request;
  request.mutable_selector()->add_terms(id);
  request.set_lifetime(v1::LIFETIME_DETACHED);
  SHOAL_ASSIGN_OR_RETURN(const v1::UpdateResponse response,
                         host.Update(std::move(request), Briefly()));
  for (const v1::ProcessResult& result : response.results()) {
    if (!result.has_error()) continue;
    return absl::Status(static_cast<absl::StatusCode>(result.error().code()),
                        result.error().message());
  }
  return absl::OkStatus();
}

std::string Seconds(absl::Duration span) {
  return absl::StrCat(absl::ToInt64Seconds(absl::Ceil(span, absl::Seconds(1))), " s");
}

}  // namespace

absl::Status AttachedSession::Begin(bool at_once, internal::Caretaker::OnNews on_news) {
  if (session_id_.empty()) return absl::OkStatus();
  if (!at_once) {
    caretaker_ = std::make_unique<internal::Caretaker>(host_, session_id_, std::move(on_news));
    return absl::OkStatus();
  }
  TakeoverOptions options;
  options.on_lost = std::move(on_news);
  SHOAL_ASSIGN_OR_RETURN(session_, Session::TakeOver(host_, session_id_, std::move(options)));
  return absl::OkStatus();
}

std::string AttachedSession::Leave(const v1::Process& process, bool keep) {
  if (session_id_.empty()) return "";
  const std::string who =
      absl::StrCat("shoal: ", process.name(), " (", process.id().substr(0, kShortIdLength), ") ");
  if (keep) {
    const absl::Status kept = Keep(*host_, process.id());
    if (kept.ok()) return absl::StrCat(who, "is DETACHED now: it outlives its session.\n");
    return absl::StrCat(who, "could not be kept: ", kept.message(), "; ", TellFate(), ".\n");
  }
  return absl::StrCat(who, TellFate(), ".\n");
}

void AttachedSession::End() {
  caretaker_.reset();
  session_.reset();
}

std::string AttachedSession::TellFate() const {
  const bool is_ours = (session_ != nullptr && session_->status().ok()) ||
                       (caretaker_ != nullptr && caretaker_->is_held());
  const absl::StatusOr<v1::Session> session = host_->GetSession(session_id_, Briefly());
  if (absl::IsNotFound(session.status())) return "ends: its session is over";
  if (!session.ok()) {
    return absl::StrCat("has a session of which nothing is known now: ",
                        session.status().message());
  }
  const absl::Duration left = FromProto(session->expires_in());
  if (is_ours) {
    return absl::StrCat("ends in ", Seconds(left),
                        ", unless it is attached to again: no other client keeps its session "
                        "(--keep does)");
  }
  const absl::Duration unrenewed = std::max(FromProto(session->ttl()) - left, absl::ZeroDuration());
  if (unrenewed >= FromProto(session->ttl()) * 2 / 3) {
    return absl::StrCat("goes on with its session, which no client has renewed for ",
                        Seconds(unrenewed), ": without that it ends in ", Seconds(left));
  }
  return absl::StrCat("goes on with its session, which another client keeps: last renewed ",
                      Seconds(unrenewed), " ago, without that it ends in ", Seconds(left));
}

}  // namespace shoal::cli
