#include "agent/core/sessions.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/failpoint.h"
#include "common/ids.h"

namespace shoal::agent {
namespace {

constexpr size_t kEndedKept = 1'000;
constexpr int kEndsPerTurn = 64;
constexpr absl::string_view kExpired = "expired";
constexpr absl::string_view kClosed = "was closed";

// How late a timer may fire before the agent itself is to blame.
absl::Duration ToleratedLag(absl::Duration ttl) { return std::min(absl::Seconds(2), ttl / 2); }

}  // namespace

void Sessions::Open(OpenSessionCommand command,
                    absl::AnyInvocable<void(absl::StatusOr<const SessionEntry*>)> done) {
  for (const auto& [id, session] : sessions_) {
    if (session->owner != command.owner || session->request_id != command.request_id) continue;
    core_->ledger.Then(
        [this, id = id, done = std::move(done)](const absl::Status& committed) mutable {
          auto found = sessions_.find(id);
          if (!committed.ok()) return done(committed);
          if (found == sessions_.end()) return done(Gone(id));
          done(found->second.get());
        });
    return;
  }
  auto session = std::make_unique<SessionEntry>();
  session->id = NewId();
  session->name = command.name;
  session->owner = command.owner;
  session->token = absl::StrCat(NewId(), NewId());
  session->request_id = command.request_id;
  session->ttl = command.ttl;
  session->create_time = core_->clock->Now();
  session->renew_time = session->create_time;
  session->expires_boottime = core_->clock->BootTime() + session->ttl;
  core_->ledger.SaveSession(*session);
  std::string id = session->id;
  sessions_[id] = std::move(session);
  core_->ledger.Then([this, id, done = std::move(done)](const absl::Status& committed) mutable {
    if (!committed.ok()) {
      sessions_.erase(id);
      return done(committed);
    }
    Watch(id);
    done(sessions_.at(id).get());
  });
}

void Sessions::Restore(SessionEntry restored) {
  auto session = std::make_unique<SessionEntry>(std::move(restored));
  SessionEntry* entry = session.get();
  sessions_[entry->id] = std::move(session);
  if (entry->over) {
    std::string id = entry->id;
    bool expired = entry->expired;
    int ended = expired ? EndAll(entry, Cause::kSessionExpired, "", std::nullopt)
                        : EndAll(entry, Cause::kSessionClosed, entry->owner, std::nullopt);
    RememberEnd(id, expired ? kExpired : kClosed, ended);
    MaybeForget(id);
    return;
  }
  Renew(entry);
  Watch(entry->id);
}

absl::Status Sessions::Gone(const std::string& session_id) const {
  auto ended = ended_.find(session_id);
  if (ended == ended_.end()) {
    return absl::NotFoundError(absl::StrCat("no session ", session_id.substr(0, kShortIdLength)));
  }
  return absl::NotFoundError(absl::StrCat(
      "session ", session_id.substr(0, kShortIdLength), " ", ended->second.how, " at ",
      absl::FormatTime("%H:%M:%S", ended->second.time, absl::UTCTimeZone()), " UTC; ",
      ended->second.processes, ended->second.processes == 1 ? " process was" : " processes were",
      " terminated"));
}

absl::Status Sessions::CheckToken(const std::string& session_id, const std::string& token) const {
  auto found = sessions_.find(session_id);
  if (found == sessions_.end() || found->second->over) return Gone(session_id);
  if (found->second->token != token) {
    return absl::PermissionDeniedError(
        absl::StrCat("token is not that of session ", session_id.substr(0, kShortIdLength)));
  }
  return absl::OkStatus();
}

absl::Status Sessions::CheckMaySpawn(const std::string& session_id,
                                     const std::string& owner) const {
  auto found = sessions_.find(session_id);
  if (found == sessions_.end() || found->second->over) {
    return absl::FailedPreconditionError(
        absl::StrCat("SESSION_EXPIRED: ", Gone(session_id).message()));
  }
  if (found->second->owner != owner) {
    return absl::PermissionDeniedError(absl::StrCat(
        "session ", session_id.substr(0, kShortIdLength), " belongs to another identity"));
  }
  return absl::OkStatus();
}

absl::StatusOr<absl::Duration> Sessions::KeepAlive(const std::string& session_id,
                                                   const std::string& token) {
  if (absl::Status status = CheckToken(session_id, token); !status.ok()) return status;
  SessionEntry* session = sessions_.at(session_id).get();
  session->renew_time = core_->clock->Now();
  Renew(session);
  return session->ttl;
}

void Sessions::Renew(SessionEntry* session) {
  session->expires_boottime = core_->clock->BootTime() + session->ttl;
  int64_t dead_man = DeadManOf(session->id);
  for (const ProcessEntry* process : core_->table.OfSession(session->id)) {
    if (process->slot == 0) continue;
    // Not woken: a shim looks again when its dead-man time has come.
    core_->shims->Tell(
        process->slot, process->id,
        [dead_man](record::AgentHalf& half) { half.dead_man_ns = dead_man; }, /*wake=*/false);
  }
}

int64_t Sessions::DeadManOf(const std::string& session_id) const {
  auto found = sessions_.find(session_id);
  if (found == sessions_.end()) return 0;
  return absl::ToInt64Nanoseconds(found->second->expires_boottime + core_->options.dead_man);
}

void Sessions::Watch(const std::string& session_id) {
  absl::Duration due = sessions_.at(session_id)->expires_boottime;
  core_->scheduler->After(due - core_->clock->BootTime(),
                          [this, session_id, due] { OnTimer(session_id, due); });
}

void Sessions::OnTimer(const std::string& session_id, absl::Duration due) {
  auto found = sessions_.find(session_id);
  if (found == sessions_.end() || found->second->over) return;
  SessionEntry* session = found->second.get();
  absl::Duration now = core_->clock->BootTime();
  if (now - due > ToleratedLag(session->ttl)) Renew(session);
  if (session->expires_boottime > now) return Watch(session_id);
  SHOAL_FAILPOINT("session:expire");
  int ended = EndAll(session, Cause::kSessionExpired, "", std::nullopt);
  RememberEnd(session_id, kExpired, ended);
  MaybeForget(session_id);
}

int Sessions::EndAll(SessionEntry* session, Cause cause, std::string requested_by,
                     std::optional<absl::Duration> grace) {
  bool first = !session->over;
  session->over = true;
  if (first) session->expired = cause == Cause::kSessionExpired;
  if (first) {
    core_->ledger.SaveSession(*session);
    core_->ledger.SessionOver(session->id);
  }
  int living = 0;
  for (const ProcessEntry* process : core_->table.OfSession(session->id)) {
    if (process->IsOver()) continue;
    to_end_.emplace_back(
        process->id,
        EndWish{.cause = cause, .requested_by = requested_by, .signal = SIGTERM, .grace = grace});
    ++living;
  }
  if (!end_scheduled_) EndSome();
  return living;
}

void Sessions::EndSome() {
  end_scheduled_ = false;
  for (int i = 0; i < kEndsPerTurn && !to_end_.empty(); ++i) {
    auto [id, wish] = std::move(to_end_.front());
    to_end_.pop_front();
    if (ProcessEntry* process = core_->table.Find(id)) ender_->End(process, wish);
  }
  if (to_end_.empty()) return;
  end_scheduled_ = true;
  core_->scheduler->After(absl::ZeroDuration(), [this] { EndSome(); });
}

void Sessions::Close(const std::string& session_id, const std::string& token, bool forget,
                     std::optional<absl::Duration> grace, std::optional<absl::Duration> timeout,
                     absl::AnyInvocable<void(absl::StatusOr<SessionEnd>)> done) {
  if (absl::Status status = CheckToken(session_id, token); !status.ok()) {
    if (ended_.contains(session_id)) return done(SessionEnd{});  // closed again
    return done(std::move(status));
  }
  SessionEntry* session = sessions_.at(session_id).get();
  std::vector<ProcessEntry*> processes = core_->table.OfSession(session_id);
  int ended = EndAll(session, Cause::kSessionClosed, session->owner, grace);
  RememberEnd(session_id, kClosed, ended);
  core_->waits.Add(
      processes, Until::kEmpty, /*any=*/false, ender_->TimeoutFor(processes, grace, timeout),
      [this, session_id, ended, forget, done = std::move(done)](const std::vector<std::string>& ids,
                                                                bool /*timed_out*/) mutable {
        SessionEnd end{.terminated = ended, .survivor_ids = {}};
        for (const std::string& id : ids) {
          const ProcessEntry* process = core_->table.Find(id);
          if (process == nullptr) continue;
          if (!process->IsOver() || !process->tree_empty) {
            end.survivor_ids.push_back(id);
          } else if (forget) {
            remove_(id);
          }
        }
        MaybeForget(session_id);
        core_->ledger.Then([end = std::move(end),
                            done = std::move(done)](const absl::Status& /*committed*/) mutable {
          done(std::move(end));
        });
      });
}

void Sessions::RememberEnd(const std::string& session_id, absl::string_view how, int processes) {
  ended_[session_id] = {core_->clock->Now(), how, processes};
  ended_order_.push_back(session_id);
  if (ended_order_.size() <= kEndedKept) return;
  ended_.erase(ended_order_.front());
  ended_order_.pop_front();
}

void Sessions::OnProcessOver(const ProcessEntry& process) {
  if (!process.session_id.empty()) MaybeForget(process.session_id);
}

void Sessions::MaybeForget(const std::string& session_id) {
  auto found = sessions_.find(session_id);
  if (found == sessions_.end() || !found->second->over || LiveProcessesOf(session_id) > 0) return;
  core_->ledger.ForgetSession(session_id);
  sessions_.erase(found);
}

std::vector<const SessionEntry*> Sessions::Living() const {
  std::vector<const SessionEntry*> living;
  for (const auto& [id, session] : sessions_) {
    if (!session->over) living.push_back(session.get());
  }
  return living;
}

int Sessions::LiveProcessesOf(const std::string& session_id) const {
  std::vector<ProcessEntry*> processes = core_->table.OfSession(session_id);
  return static_cast<int>(std::count_if(processes.begin(), processes.end(),
                                        [](const ProcessEntry* p) { return !p->IsOver(); }));
}

}  // namespace shoal::agent
