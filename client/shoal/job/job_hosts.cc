#include "shoal/job/job_hosts.h"

#include <algorithm>
#include <csignal>
#include <optional>
#include <tuple>
#include <utility>

#include "shoal/duration.h"
#include "shoal/outcome.h"

namespace shoal {

v1::Selector SelectSession(const std::string& id) {
  v1::Selector selector;
  selector.set_session_id(id);
  return selector;
}

JobHosts::JobHosts(std::vector<int> counts, absl::Duration patience, Observer observer)
    : patience_(patience), observer_(std::move(observer)), members_(counts.size()) {
  for (size_t i = 0; i < counts.size(); ++i) members_[i].ranks = counts[i];
}

void JobHosts::Add(int host, JobLease lease) {
  MutexLock lock(&mu_);
  members_[static_cast<size_t>(host)].lease = std::move(lease);
}

bool JobHosts::BeginStart(int host) {
  MutexLock lock(&mu_);
  if (interrupt_ != Ending::kNone) return false;
  members_[static_cast<size_t>(host)].is_start_begun = true;
  return true;
}

void JobHosts::OnStartAnswered(int host, const absl::StatusOr<v1::SpawnBatchResponse>& answer) {
  std::vector<Ask> asks;
  bool is_detached = false;
  std::optional<JobLease> to_stop;
  {
    MutexLock lock(&mu_);
    Member& member = members_[static_cast<size_t>(host)];
    // Without an answer they may be there.
    member.is_start_answered = true;
    if (answer.ok()) {
      for (const v1::SpawnBatchResponse::Result& result : answer->results()) {
        if (result.has_process()) member.started.insert(result.process().id());
      }
      member.ranks = static_cast<int>(member.started.size());
    }
    if (member.ending != Ending::kNone) asks.push_back(MakeAsk(host, member.ending));
    if (TakeDetach(member)) asks.push_back(MakeAsk(host, Ending::kNone));
    is_detached = TakeDetached();
    if (is_suspended_) to_stop = member.lease;
  }
  Send(asks);
  if (is_detached) observer_.on_detached();
  if (to_stop) BeginStop(host, *to_stop);
}

void JobHosts::OnProcess(int host, const v1::Process& process) {
  const bool is_over =
      process.state() == v1::STATE_FAILED_TO_START || (HasEnded(process) && process.tree_empty());
  if (!is_over && !HasEnded(process)) return;
  MutexLock lock(&mu_);
  Member& member = members_[static_cast<size_t>(host)];
  if (is_over) {
    member.over.insert(process.id());
    member.outlived.erase(process.id());
  } else {
    member.outlived.insert(process.id());
  }
}

void JobHosts::OnClosed(int host) {
  MutexLock lock(&mu_);
  members_[static_cast<size_t>(host)].is_closed = true;
}

void JobHosts::Terminate(int host) {
  std::vector<Ask> asks;
  {
    MutexLock lock(&mu_);
    Member& member = members_[static_cast<size_t>(host)];
    if (!member.is_start_begun || member.ending != Ending::kNone) return;
    member.ending = Ending::kTerminate;
    asks.push_back(MakeAsk(host, member.ending));
  }
  Send(asks);
}

void JobHosts::Interrupt(int signal) {
  std::vector<Ask> asks;
  {
    MutexLock lock(&mu_);
    if (interrupt_ == Ending::kNone) interrupt_signal_ = signal;
    interrupt_ = interrupt_ == Ending::kNone ? Ending::kTerminate : Ending::kKill;
    for (size_t i = 0; i < members_.size(); ++i) {
      Member& member = members_[i];
      if (!member.is_start_begun || member.is_closed) continue;
      member.ending = interrupt_;
      asks.push_back(MakeAsk(static_cast<int>(i), interrupt_));
      if (interrupt_ == Ending::kKill || member.outlived.empty()) continue;
      // What a shell put into the background ignores SIGINT and SIGQUIT.
      asks.push_back(MakeAsk(static_cast<int>(i), interrupt_));
      asks.back().signal = 0;
      asks.back().ids = member.outlived;
    }
  }
  Send(asks);
}

void JobHosts::Signal(int signal) {
  std::vector<std::pair<std::shared_ptr<Host>, std::string>> sessions;
  {
    MutexLock lock(&mu_);
    for (const Member& member : members_) {
      if (member.is_start_begun && !member.is_closed) {
        sessions.emplace_back(member.lease.host, member.lease.session_id);
      }
    }
  }
  for (const auto& [host, session] : sessions) {
    v1::SignalRequest request;
    *request.mutable_selector() = SelectSession(session);
    request.set_signal(signal);
    host->Signal(std::move(request), CallOptions(), [](const absl::StatusOr<v1::SignalResponse>&) {
      // One that has ended cannot have it.
    });
  }
}

// Once for each host: at once, or behind the answer to a start that is under way, which is waited for.
JobSuspension JobHosts::Suspend(absl::Duration timeout) {
  std::vector<std::pair<int, JobLease>> hosts;
  std::vector<std::pair<int, JobLease>> to_stop;
  {
    MutexLock lock(&mu_);
    is_suspended_ = true;
    for (size_t i = 0; i < members_.size(); ++i) {
      Member& member = members_[i];
      if (!member.is_start_begun || member.is_closed) continue;
      member.is_stop_awaited = true;
      member.stop_status = absl::DeadlineExceededError("no answer");
      hosts.emplace_back(static_cast<int>(i), member.lease);
      if (member.is_start_answered) to_stop.emplace_back(hosts.back());
    }
  }
  for (const auto& [host, lease] : to_stop) BeginStop(host, lease);
  MutexLock lock(&mu_);
  const auto are_answered = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return std::none_of(members_.begin(), members_.end(),
                        [](const Member& member) { return member.is_stop_awaited; });
  };
  mu_.AwaitWithTimeout(are_answered, timeout);
  JobSuspension suspension;
  for (const auto& [host, lease] : hosts) {
    const Member& member = members_[static_cast<size_t>(host)];
    suspension.signaled += static_cast<int>(member.stopped.size());
    if (member.is_stop_awaited) suspension.doubtful.push_back({host, member.stop_status});
  }
  return suspension;
}

void JobHosts::BeginStop(int host, const JobLease& lease) {
  v1::ListRequest request;
  *request.mutable_selector() = SelectSession(lease.session_id);
  request.set_live_usage(true);
  lease.host->List(std::move(request), CallOptions(),
                   [self = shared_from_this(), host,
                    lease](const absl::StatusOr<std::vector<v1::Process>>& known) {
                     const bool is_wanted = self->NoteStoppedBefore(host, known);
                     if (is_wanted) self->SendStop(host, lease);
                   });
}

bool JobHosts::NoteStoppedBefore(int host, const absl::StatusOr<std::vector<v1::Process>>& known) {
  MutexLock lock(&mu_);
  if (!is_suspended_) return false;
  if (!known.ok()) return true;
  for (const v1::Process& process : *known) {
    if (!process.live_usage().stopped()) continue;
    members_[static_cast<size_t>(host)].stopped_before.insert(process.id());
  }
  return true;
}

void JobHosts::SendStop(int host, const JobLease& lease) {
  v1::SignalRequest request;
  *request.mutable_selector() = SelectSession(lease.session_id);
  request.set_signal(SIGSTOP);
  request.set_scope(v1::SignalRequest::SCOPE_TREE);
  lease.host->Signal(
      std::move(request), CallOptions(),
      [self = shared_from_this(), host](const absl::StatusOr<v1::SignalResponse>& answer) {
        self->OnStopAnswered(host, answer);
      });
}

void JobHosts::OnStopAnswered(int host, const absl::StatusOr<v1::SignalResponse>& answer) {
  std::set<std::string> stopped;
  if (answer.ok()) {
    for (const v1::ProcessResult& result : answer->results()) {
      if (!result.has_error()) stopped.insert(result.process().id());
    }
  }
  JobLease lease;
  {
    MutexLock lock(&mu_);
    Member& member = members_[static_cast<size_t>(host)];
    lease = member.lease;
    for (const std::string& id : member.stopped_before) stopped.erase(id);
    if (is_suspended_) {
      member.stopped.merge(stopped);
      // Either nothing of the session is there, or the host has said what is.
      const bool is_known = answer.ok() || absl::IsNotFound(answer.status());
      if (!is_known) member.stop_status = answer.status();
      if (is_known) member.is_stop_awaited = false;
      return;
    }
  }
  // Too late: they are to go on already.
  if (!stopped.empty()) SendContinue(host, lease, stopped);
}

// For as long as it takes: what stays stopped waits for ever.
void JobHosts::SendContinue(int host, const JobLease& lease, const std::set<std::string>& ids) {
  v1::SignalRequest request;
  if (ids.empty()) {
    *request.mutable_selector() = SelectSession(lease.session_id);
  } else {
    request.mutable_selector()->mutable_terms()->Assign(ids.begin(), ids.end());
  }
  request.set_signal(SIGCONT);
  request.set_scope(v1::SignalRequest::SCOPE_TREE);
  CallOptions options;
  options.timeout = absl::InfiniteDuration();
  options.patience = absl::InfiniteDuration();
  lease.host->Signal(
      std::move(request), options,
      [self = shared_from_this(), host](const absl::StatusOr<v1::SignalResponse>& answer) {
        // One that has ended cannot have it.
        if (answer.ok() || absl::IsNotFound(answer.status())) return;
        self->observer_.on_not_continued(host, answer.status());
      });
}

// A host that has not answered may have stopped any of its ranks.
void JobHosts::Resume() {
  std::vector<std::tuple<int, JobLease, std::set<std::string>>> hosts;
  {
    MutexLock lock(&mu_);
    is_suspended_ = false;
    for (size_t i = 0; i < members_.size(); ++i) {
      Member& member = members_[i];
      std::set<std::string> stopped = std::exchange(member.stopped, {});
      member.stopped_before.clear();
      const bool is_doubtful = std::exchange(member.is_stop_awaited, false);
      if (!is_doubtful && stopped.empty()) continue;
      if (is_doubtful) stopped.clear();
      hosts.emplace_back(static_cast<int>(i), member.lease, std::move(stopped));
    }
  }
  for (const auto& [host, lease, stopped] : hosts) SendContinue(host, lease, stopped);
}

std::vector<JobLease> JobHosts::Leases() const {
  MutexLock lock(&mu_);
  std::vector<JobLease> leases;
  for (const Member& member : members_) {
    if (member.lease.host != nullptr && !member.is_closed) leases.push_back(member.lease);
  }
  return leases;
}

void JobHosts::Detach() {
  std::vector<Ask> asks;
  bool is_detached = false;
  {
    MutexLock lock(&mu_);
    is_detach_wanted_ = true;
    for (size_t i = 0; i < members_.size(); ++i) {
      if (TakeDetach(members_[i])) asks.push_back(MakeAsk(static_cast<int>(i), Ending::kNone));
    }
    is_detached = TakeDetached();
  }
  Send(asks);
  if (is_detached) observer_.on_detached();
}

absl::Status JobHosts::detach_status(int host) const {
  MutexLock lock(&mu_);
  return members_[static_cast<size_t>(host)].detach_status;
}

std::vector<HostLeft> JobHosts::Left() const {
  MutexLock lock(&mu_);
  std::vector<HostLeft> left;
  for (size_t i = 0; i < members_.size(); ++i) {
    const Member& member = members_[i];
    if (!member.is_start_begun || member.is_closed) continue;
    HostLeft entry;
    entry.host = static_cast<int>(i);
    entry.processes = member.ranks - static_cast<int>(member.over.size());
    entry.is_certain = !member.started.empty();
    entry.is_detached = member.is_detach_answered && member.detach_status.ok();
    if (entry.processes > 0) left.push_back(entry);
  }
  return left;
}

JobHosts::Ask JobHosts::MakeAsk(int host, Ending ending) const {
  const Member& member = members_[static_cast<size_t>(host)];
  Ask ask{host, member.lease.host,          member.lease.session_id, ending, interrupt_signal_,
          {},   interrupt_ != Ending::kNone};
  if (ending == Ending::kKill) ask.signal = SIGKILL;
  return ask;
}

// Not before the start is answered, so that no process comes after the Update.
bool JobHosts::TakeDetach(Member& member) {
  if (!is_detach_wanted_ || !member.is_start_answered) return false;
  return !std::exchange(member.is_detach_sent, true);
}

bool JobHosts::TakeDetached() {
  if (!is_detach_wanted_ || is_detach_told_) return false;
  is_detach_told_ = std::all_of(members_.begin(), members_.end(), [](const Member& member) {
    return member.ranks == 0 || member.is_detach_answered;
  });
  return is_detach_told_;
}

void JobHosts::Send(const std::vector<Ask>& asks) {
  for (const Ask& ask : asks) {
    if (ask.ending == Ending::kNone) {
      SendDetach(ask);
    } else {
      SendEnding(ask);
    }
  }
}

void JobHosts::SendEnding(const Ask& ask) {
  v1::TerminateRequest request;
  if (ask.ids.empty()) {
    *request.mutable_selector() = SelectSession(ask.session_id);
  } else {
    request.mutable_selector()->mutable_terms()->Assign(ask.ids.begin(), ask.ids.end());
  }
  request.set_signal(ask.signal);
  if (ask.ending == Ending::kKill) *request.mutable_grace() = ToProto(absl::ZeroDuration());
  CallOptions options;
  if (ask.is_interrupted) {
    // An answer is wanted that the host has heard, not that its trees are empty.
    *request.mutable_timeout() = ToProto(absl::ZeroDuration());
    options.timeout = patience_;
  }
  ask.host->Terminate(
      std::move(request), options,
      [self = shared_from_this(), host = ask.index,
       is_interrupted = ask.is_interrupted](const absl::StatusOr<v1::TerminateResponse>& answer) {
        // What it did is seen by the watch; what it could not do, by the close.
        if (is_interrupted && !answer.ok()) {
          self->observer_.on_silent(host, answer.status());
        }
      });
}

void JobHosts::SendDetach(const Ask& ask) {
  v1::UpdateRequest request;
  *request.mutable_selector() = SelectSession(ask.session_id);
  request.set_lifetime(v1::LIFETIME_DETACHED);
  ask.host->Update(std::move(request), CallOptions(),
                   [self = shared_from_this(),
                    host = ask.index](const absl::StatusOr<v1::UpdateResponse>& answer) {
                     self->OnDetachAnswered(host, answer.status());
                   });
}

void JobHosts::OnDetachAnswered(int host, const absl::Status& status) {
  bool is_detached = false;
  {
    MutexLock lock(&mu_);
    Member& member = members_[static_cast<size_t>(host)];
    member.is_detach_answered = true;
    member.detach_status = status;
    is_detached = TakeDetached();
  }
  if (is_detached) observer_.on_detached();
}

}  // namespace shoal
