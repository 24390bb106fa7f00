#include "agent/core/sessions.h"

#include <algorithm>
#include <csignal>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/core/record_facts.h"
#include "common/failpoint.h"
#include "common/ids.h"

namespace shoal::agent {
namespace {

constexpr int kEndsPerTurn = 64;
constexpr absl::string_view kExpired = "expired";
constexpr absl::string_view kClosed = "was closed";
constexpr absl::string_view kOpenerEnded = "was closed when the process that had opened it ended,";

Caller AgentItself() {
  Caller caller;
  caller.kind = CallerKind::kAgent;
  caller.name = "shoald";
  return caller;
}

// How late a timer may fire before the agent itself is to blame.
absl::Duration ToleratedLag(absl::Duration ttl) { return std::min(absl::Seconds(2), ttl / 2); }

}  // namespace

void Sessions::Open(OpenSessionCommand command, OpenCallback done) {
  absl::StatusOr<const LoggedRequest*> first =
      core_->requests.Begin(RequestKind::kOpenSession, command);
  if (!first.ok()) return done(first.status());
  if (*first != nullptr) {
    const std::string id = (*first)->decision.made_id;
    core_->ledger.Then([this, id, done = std::move(done)](const absl::Status& committed) mutable {
      if (!committed.ok()) return done(committed);
      const SessionEntry* session = table_->Find(id);
      if (session == nullptr || session->over) return done(table_->Gone(id));
      done(session);
    });
    return;
  }
  const size_t limit = core_->options.quotas.sessions;
  if (const size_t has = table_->CountOf(command.owner()); has >= limit) {
    core_->requests.Forget(command);
    return done(QuotaExceeded(command.owner(), "sessions", static_cast<int64_t>(has),
                              static_cast<int64_t>(limit)));
  }
  SessionEntry session;
  session.id = NewId();
  session.name = command.name;
  session.owner = command.owner();
  session.opener = OpenerOf(command.permit.caller());
  session.token = absl::StrCat(NewId(), NewId());
  session.request_id = command.request_id;
  session.ttl = command.ttl;
  session.create_time = core_->clock->Now();
  session.renew_time = session.create_time;
  session.expires_boottime = core_->clock->BootTime() + session.ttl;
  core_->ledger.SaveSession(session);
  const std::string id = table_->Add(std::move(session))->id;
  core_->requests.Decide(command, {.made_id = id});
  core_->ledger.Then([this, id, done = std::move(done)](const absl::Status& committed) mutable {
    if (!committed.ok()) {
      table_->Remove(id);
      core_->ledger.ForgetSession(id);
      return done(committed);
    }
    Watch(id);
    done(table_->Find(id));
  });
}

std::optional<Opener> Sessions::OpenerOf(const Caller& caller) const {
  if (caller.peer == nullptr) return std::nullopt;
  const SocketPeer& peer = *caller.peer;
  Opener opener{.pid = peer.pid,
                .start_ticks = peer.start_ticks,
                .boot_id = core_->options.boot_id,
                .process_id = {}};
  for (const std::string& id : peer.process_ids) {
    const ProcessEntry* const process = core_->table.Find(id);
    if (process == nullptr || process->IsTreeOver()) continue;
    const absl::StatusOr<std::vector<int>> members = trees_->Members(*process);
    if (!members.ok() || std::find(members->begin(), members->end(), peer.pid) == members->end()) {
      continue;
    }
    opener.process_id = id;
    break;
  }
  return opener;
}

void Sessions::Restore(SessionEntry restored) {
  if (restored.opener && restored.opener->boot_id != core_->options.boot_id) {
    restored.opener.reset();
  }
  SessionEntry* entry = table_->Add(std::move(restored));
  if (entry->over) {
    std::string id = entry->id;
    bool expired = entry->expired;
    int ended = expired ? EndAll(entry, Cause::kSessionExpired, "", std::nullopt)
                        : EndAll(entry, Cause::kSessionClosed, entry->owner, std::nullopt);
    table_->RememberEnd(id, expired ? kExpired : kClosed, ended);
    MaybeForget(id);
    return;
  }
  AdoptRequest(*entry);
  const ProcessEntry* const opener =
      entry->opener ? core_->table.Find(entry->opener->process_id) : nullptr;
  if (opener != nullptr && opener->tree_empty) return EndWithOpener(entry, *opener);
  Renew(AgentItself(), entry);
  Watch(entry->id);
}

void Sessions::AdoptRequest(const SessionEntry& session) {
  LoggedRequest request;
  request.owner = session.owner;
  request.request_id = session.request_id;
  request.kind = RequestKind::kOpenSession;
  request.log_time = session.create_time;
  request.is_decided = true;
  request.decision.made_id = session.id;
  core_->requests.Adopt(std::move(request));
}

absl::StatusOr<absl::Duration> Sessions::KeepAlive(const Permit& permit,
                                                   const std::string& session_id,
                                                   const std::string& token) {
  SessionEntry* session = table_->Find(session_id);
  if (session == nullptr) return table_->Gone(session_id);
  const absl::StatusOr<Permit> may =
      Authorize(permit.caller(), Verb::kKeepAlive, Target::Session(*session, token));
  if (!may.ok()) return may.status();
  if (session->over) return table_->Gone(session_id);
  session->renew_time = core_->clock->Now();
  Renew(permit.caller(), session);
  return session->ttl;
}

void Sessions::Renew(const Caller& caller, SessionEntry* session) {
  session->expires_boottime = core_->clock->BootTime() + session->ttl;
  // Those that are told just now are told the new time, or one that is a moment older.
  if (!renewing_.insert(session->id).second) return;
  std::vector<std::string> ids;
  for (const ProcessEntry* process : core_->table.OfSession(session->id)) {
    if (process->slot != 0) ids.push_back(process->id);
  }
  core_->slices.Run(caller, [this, session_id = session->id, ids = std::move(ids)]() mutable {
    if (ids.empty()) {
      renewing_.erase(session_id);
      return false;
    }
    const ProcessEntry* process = core_->table.Find(ids.back());
    ids.pop_back();
    if (process == nullptr || process->slot == 0 || process->session_id != session_id) return true;
    // Not woken: a shim looks again when its dead-man time has come.
    slots_->Tell(
        process->slot, process->id,
        [dead_man = table_->DeadManOf(session_id)](record::AgentHalf& half) {
          half.dead_man_ns = dead_man;
        },
        /*wake=*/false);
    return true;
  });
}

void Sessions::Watch(const std::string& session_id) {
  const SessionEntry& session = *table_->Find(session_id);
  absl::Duration due = session.expires_boottime;
  if (session.opener && core_->clock->BootTime() < due - session.ttl / 2) due -= session.ttl / 2;
  core_->scheduler->After(due - core_->clock->BootTime(),
                          [this, session_id, due] { OnTimer(session_id, due); });
}

void Sessions::OnTimer(const std::string& session_id, absl::Duration due) {
  SessionEntry* session = table_->Find(session_id);
  if (session == nullptr || session->over) return;
  absl::Duration now = core_->clock->BootTime();
  if (now - due > ToleratedLag(session->ttl)) Renew(AgentItself(), session);
  const bool is_missed = now >= session->expires_boottime - session->ttl / 2;
  if (is_missed && session->opener && peers_->IsStopped(*session->opener))
    Renew(AgentItself(), session);
  if (session->expires_boottime > now) return Watch(session_id);
  Lapse(session);
}

void Sessions::Lapse(SessionEntry* session) {
  SHOAL_FAILPOINT("session:expire");
  const std::string id = session->id;
  int ended = EndAll(session, Cause::kSessionExpired, "", std::nullopt);
  table_->RememberEnd(id, kExpired, ended);
  MaybeForget(id);
}

void Sessions::EndWithOpener(SessionEntry* session, const ProcessEntry& opener) {
  const std::string id = session->id;
  const std::string who =
      absl::StrCat("the end of ", opener.name, " (", opener.id.substr(0, kShortIdLength),
                   "), which had opened it");
  int ended = EndAll(session, Cause::kSessionClosed, who, std::nullopt);
  table_->RememberEnd(id, kOpenerEnded, ended);
  MaybeForget(id);
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
    if (process->IsTreeOver()) continue;
    to_end_.emplace_back(
        process->id,
        EndWish{.cause = cause, .requested_by = requested_by, .signal = SIGTERM, .grace = grace});
    if (!process->IsUnmanaged()) ++living;
  }
  if (!end_scheduled_) EndSome();
  return living;
}

void Sessions::EndSome() {
  end_scheduled_ = false;
  for (int i = 0; i < kEndsPerTurn && !to_end_.empty(); ++i) {
    auto [id, wish] = std::move(to_end_.front());
    to_end_.pop_front();
    if (ProcessEntry* process = core_->table.Find(id)) terminator_->End(process, wish);
  }
  if (to_end_.empty()) return;
  end_scheduled_ = true;
  core_->scheduler->After(absl::ZeroDuration(), [this] { EndSome(); });
}

struct Sessions::Closing {
  std::string session_id;
  bool forget = false;
  absl::Duration forget_after;
  CloseCallback done;
  std::vector<std::string> ids = {};
  size_t next = 0;
  SessionEnd end = {};
};

void Sessions::Close(const CloseSessionCommand& command, CloseCallback done) {
  // One that is over may be closed again: its end goes on, and what is left is waited for and named
  // as the first time.
  const std::string& session_id = command.session_id;
  SessionEntry* const session = table_->Find(session_id);
  const bool is_over = session == nullptr || session->over;
  if (session == nullptr && !table_->HasEnded(session_id)) return done(table_->Gone(session_id));
  if (session != nullptr) {
    const absl::StatusOr<Permit> may = Authorize(command.permit.caller(), Verb::kCloseSession,
                                                 Target::Session(*session, command.token));
    if (!may.ok()) return done(may.status());
  }
  std::vector<std::string> kept;
  if (!is_over && command.keep_descendants) kept = Keep(session_id);
  std::vector<ProcessEntry*> processes = core_->table.OfSession(session_id);
  int ended = 0;
  if (!is_over) {
    ended = EndAll(session, Cause::kSessionClosed, session->owner, command.grace);
    table_->RememberEnd(session_id, kClosed, ended);
  }
  // Shared by the wait and the slices behind it.
  auto closing = std::make_shared<Closing>(Closing{.session_id = session_id,
                                                   .forget = command.forget,
                                                   .forget_after = command.forget_after,
                                                   .done = std::move(done)});
  closing->end.terminated = ended;
  closing->end.kept_ids = std::move(kept);
  closing->ids.reserve(processes.size());
  for (const ProcessEntry* process : processes) closing->ids.push_back(process->id);
  // Nothing is done to an unmanaged one, so it is not waited for: it is named as a survivor.
  std::erase_if(processes, [](const ProcessEntry* process) { return process->IsUnmanaged(); });
  core_->waits.Add(command.permit.caller(), processes, Until::kEmpty, /*any=*/false,
                   terminator_->TimeoutFor(processes, command.grace, command.timeout),
                   [this, caller = command.permit.caller(), closing](
                       const SharedProcesses& /*ending*/, bool /*timed_out*/) {
                     core_->slices.Run(caller,
                                       [this, closing] { return CloseNext(closing.get()); });
                   });
}

bool Sessions::CloseNext(Closing* closing) {
  if (closing->next < closing->ids.size()) {
    const std::string& id = closing->ids[closing->next++];
    const ProcessEntry* process = core_->table.Find(id);
    if (process == nullptr) return true;
    if (!process->IsTreeOver() || !process->tree_empty) {
      closing->end.survivor_ids.push_back(id);
    } else if (closing->forget) {
      retention_->Forget(id, closing->forget_after);
    }
    return true;
  }
  MaybeForget(closing->session_id);
  core_->ledger.ThenAlways([end = std::move(closing->end),
                            done = std::move(closing->done)]() mutable { done(std::move(end)); });
  return false;
}

// Processes are kept in the commit that closes the session: between two, the agent could lose or end them. A name that is
// held by another DETACHED process stays that one's; this one is found by its id.
std::vector<std::string> Sessions::Keep(const std::string& session_id) {
  std::vector<std::string> kept;
  for (ProcessEntry* process : core_->table.OfSession(session_id)) {
    if (!process->spec->keep_descendants || process->IsLive() || process->IsTreeOver() ||
        process->IsUnmanaged() || process->termination) {
      continue;
    }
    core_->table.SetSession(process, "");
    core_->ledger.Save(*process);
    core_->ledger.Changed(process);
    slots_->Tell(process->slot, process->id, BecomeDetached, /*wake=*/true);
    kept.push_back(process->id);
  }
  return kept;
}

void Sessions::TakeBack(ProcessEntry* process) {
  const SessionEntry* const found = table_->Find(process->session_id);
  if (found == nullptr || !found->over) return;
  const SessionEntry& session = *found;
  terminator_->End(process,
                   {.cause = session.expired ? Cause::kSessionExpired : Cause::kSessionClosed,
                    .requested_by = session.expired ? "" : session.owner,
                    .signal = SIGTERM,
                    .grace = std::nullopt});
}

void Sessions::OnProcessOver(const ProcessEntry& process) {
  if (!process.session_id.empty()) MaybeForget(process.session_id);
}

void Sessions::OnTreeEmpty(const ProcessEntry& process) {
  for (SessionEntry* session : table_->OpenedFrom(process.id)) EndWithOpener(session, process);
}

void Sessions::MaybeForget(const std::string& session_id) {
  const SessionEntry* session = table_->Find(session_id);
  if (session == nullptr || !session->over || core_->table.IsAliveOf(session_id)) return;
  core_->ledger.ForgetSession(session_id);
  core_->requests.ForgetSession(*session);
  table_->Remove(session_id);
}

int Sessions::LiveProcessesOf(const std::string& session_id) const {
  std::vector<ProcessEntry*> processes = core_->table.OfSession(session_id);
  return static_cast<int>(std::count_if(processes.begin(), processes.end(),
                                        [](const ProcessEntry* p) { return !p->IsTreeOver(); }));
}

}  // namespace shoal::agent
