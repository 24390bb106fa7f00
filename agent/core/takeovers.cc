#include "agent/core/takeovers.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "agent/core/reason.h"
#include "common/failpoint.h"
#include "common/ids.h"
#include "common/status.h"

namespace shoal::agent {

void Takeovers::TakeOver(TakeoverCommand command, OpenCallback done) {
  if (uncommitted_.contains(command.session_id)) {
    return core_->ledger.ThenAlways(
        [this, command = std::move(command), done = std::move(done)]() mutable {
          TakeOver(std::move(command), std::move(done));
        });
  }
  const absl::StatusOr<const LoggedRequest*> first =
      core_->requests.Begin(RequestKind::kTakeover, command, command.session_id);
  if (!first.ok()) return done(first.status());
  if (*first != nullptr) return Answer(command, done);
  if (absl::Status may = Check(command); !may.ok()) {
    core_->requests.Forget(command);  // it has changed nothing, and may be allowed another time
    return done(may);
  }
  SessionEntry* const session = table_->Find(command.session_id);
  uncommitted_.insert(session->id);
  const SessionEntry before = *session;
  Apply(command, session);
  core_->ledger.SaveSession(*session);
  core_->requests.Decide(command, {.made_id = session->id});
  core_->ledger.Then([this, command = std::move(command), before,
                      done = std::move(done)](const absl::Status& committed) mutable {
    SHOAL_FAILPOINT("takeover:committed");
    uncommitted_.erase(command.session_id);
    SessionEntry* const taken = table_->Find(command.session_id);
    if (!committed.ok()) {
      if (taken != nullptr) {
        taken->token = before.token;
        taken->fenced_tokens = before.fenced_tokens;
        taken->takeover = before.takeover;
        table_->SetOpener(taken, before.opener);
        core_->ledger.SaveSession(*taken);  // else what was to be saved would be saved later
      }
      return done(committed);
    }
    Answer(command, done);
  });
}

absl::Status Takeovers::Check(const TakeoverCommand& command) const {
  const SessionEntry* const session = table_->Find(command.session_id);
  if (session == nullptr) return table_->Gone(command.session_id);
  SHOAL_RETURN_IF_ERROR(
      Authorize(command.permit.caller(), Verb::kTakeover, Target::Session(*session)).status());
  if (session->over) return table_->Gone(command.session_id);
  // The agent renews for a client that is stopped, too: what counts is when the lease ends.
  const absl::Duration unrenewed =
      core_->clock->BootTime() - (session->expires_boottime - session->ttl);
  if (!command.unrenewed_for || unrenewed >= *command.unrenewed_for) return absl::OkStatus();
  return WithReason(kReasonSessionInUse,
                    absl::FailedPreconditionError(absl::StrCat(
                        "session ", session->id.substr(0, kShortIdLength), " is in use: renewed ",
                        absl::FormatDuration(absl::Trunc(unrenewed, absl::Milliseconds(1))),
                        " ago, and its TTL is ", absl::FormatDuration(session->ttl))));
}

void Takeovers::Apply(const TakeoverCommand& command, SessionEntry* session) {
  std::vector<std::string>& fenced = session->fenced_tokens;
  fenced.push_back(std::exchange(session->token, absl::StrCat(NewId(), NewId())));
  if (fenced.size() > kMaxFencedTokens) fenced.erase(fenced.begin());
  session->takeover = Takeover{.by = command.permit.caller().name,
                               .request_id = command.request_id,
                               .time = core_->clock->Now()};
  session->renew_time = core_->clock->Now();
  table_->SetOpener(session, sessions_->OpenerOf(command.permit.caller()));
  sessions_->Renew(command.permit.caller(), session);
}

void Takeovers::Answer(const TakeoverCommand& command, OpenCallback& done) const {
  const SessionEntry* const session = table_->Find(command.session_id);
  if (session == nullptr || session->over) return done(table_->Gone(command.session_id));
  const Takeover last = session->takeover.value_or(Takeover());
  if (last.by == command.owner() && last.request_id == command.request_id) return done(session);
  done(WithReason(
      kReasonFenced,
      absl::FailedPreconditionError(absl::StrCat(
          "session ", session->id.substr(0, kShortIdLength), " was taken over again since, by ",
          last.by, " at ", absl::FormatTime("%H:%M:%S", last.time, absl::UTCTimeZone()), " UTC"))));
}

}  // namespace shoal::agent
