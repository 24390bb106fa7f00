#include "shoal/process/program.h"

#include <errno.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/socket_trust.h"
#include "common/status.h"
#include "shoal/fan_out.h"
#include "shoal/host/host_rep.h"
#include "shoal/host/shared_state.h"
#include "shoal/link/callback_scope.h"
#include "shoal/link/owner.h"

namespace shoal {
namespace {

std::string ProgramName() { return absl::StrCat("program ", program_invocation_short_name); }

}  // namespace

Program& Program::Get() {
  // gRPC was not used before the first Host, so its own ending comes after this one.
  static Program* const kProgram = [] {
    std::atexit([] { Get().EndAtExit(); });
    return new Program;
  }();
  return *kProgram;
}

// Of two threads that call exit() the one that does so for a signal ends the program.
void Program::EndAtExit() {
  End().IgnoreError();
  if (internal::IsForked()) return;
  MutexLock lock(&mu_);
  if (!signal_thread_.has_value() || *signal_thread_ == std::this_thread::get_id()) return;
  mu_.Await([] { return false; });
}

absl::StatusOr<std::shared_ptr<Host>> Program::LocalHost() {
  MutexLock lock(&mu_);
  if (local_host_ == nullptr) {
    SHOAL_ASSIGN_OR_RETURN(const HostAddress here, LocalAddress());
    SHOAL_RETURN_IF_ERROR(CheckSocketDirectory(here.unix_path));
    SHOAL_ASSIGN_OR_RETURN(local_host_, Host::Create(here));
  }
  return local_host_;
}

// A session that lapsed, with a host that was cut off for too long, makes room for a new one.
bool Program::IsUsable(const Lease& lease) const {
  if (lease.session == nullptr) return false;
  absl::Status status = lease.session->status();
  return status.ok() || absl::IsUnavailable(status);
}

absl::StatusOr<std::string> Program::SessionOn(const std::shared_ptr<Host>& host,
                                               const std::string& over) {
  {
    MutexLock lock(&mu_);
    auto is_settled = [&]()
                          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !leases_[host].is_opening; };
    mu_.Await(is_settled);
    if (has_ended_) {
      return absl::FailedPreconditionError("the program has ended its processes: see EndProgram()");
    }
    const Lease& lease = leases_[host];
    if (IsUsable(lease) && lease.session->id() != over) return lease.session->id();
    leases_[host].is_opening = true;
  }
  SessionOptions options;
  options.name = ProgramName();
  absl::StatusOr<std::unique_ptr<Session>> session = Session::Open(host, std::move(options));
  std::unique_ptr<Session> former;  // destroyed without the mutex
  MutexLock lock(&mu_);
  leases_[host].is_opening = false;
  if (!session.ok()) return session.status();
  former = std::exchange(leases_[host].session, *std::move(session));
  return leases_[host].session->id();
}

void Program::Add(std::shared_ptr<Child> child) {
  bool are_many = false;
  {
    MutexLock lock(&mu_);
    children_.push_back(std::move(child));
    are_many = children_.size() > most_children_;
  }
  if (are_many) LetGo();
}

// A program that starts processes for as long as it runs, and joins none, keeps those that live.
// Each look is paid by as many starts as it looks at children.
void Program::LetGo() {
  absl::Status first;
  for (const std::shared_ptr<Child>& child : Children()) {
    if (child->IsDone()) first.Update(child->JoinAtEnd());
  }
  MutexLock lock(&mu_);
  first_error_.Update(first);
  most_children_ = std::max(kManyChildren, 2 * children_.size());
}

void Program::Remove(const Child* child) {
  std::shared_ptr<Child> removed;  // destroyed without the mutex
  MutexLock lock(&mu_);
  auto found = std::find_if(children_.begin(), children_.end(),
                            [&](const auto& entry) { return entry.get() == child; });
  if (found == children_.end()) return;
  removed = std::move(*found);
  children_.erase(found);
}

std::vector<std::shared_ptr<Child>> Program::Children() const {
  MutexLock lock(&mu_);
  return children_;
}

absl::Status Program::FirstError() const {
  MutexLock lock(&mu_);
  return first_error_;
}

// All at the same time: a host that is not reached costs its TTL once.
absl::Status Program::CloseAll(const std::map<std::shared_ptr<Host>, Lease>& leases) {
  std::vector<std::pair<Host*, Session*>> open;
  for (const auto& [host, lease] : leases) {
    if (lease.session != nullptr) open.emplace_back(host.get(), lease.session.get());
  }
  std::vector<absl::StatusOr<v1::CloseResponse>> closed = FanOut<v1::CloseResponse>(
      open.size(),
      [&](size_t i, Done<v1::CloseResponse> done) { open[i].second->Close({}, std::move(done)); });
  absl::Status first;
  for (size_t i = 0; i < open.size(); ++i) {
    const auto& [host, session] = open[i];
    host->rep()->shared_state->Forget(session->id());
    if (closed[i].ok() && !closed[i]->survivor_ids().empty()) {
      closed[i] = absl::DeadlineExceededError(
          absl::StrCat(closed[i]->survivor_ids_size(), " processes on ", host->name(),
                       " could not be ended, such as ", closed[i]->survivor_ids(0)));
    }
    first.Update(closed[i].status());
  }
  return first;
}

// A callback that calls exit() holds up what its stream has yet to bring: no end of what is read
// there can be waited for. So nothing is joined; closing the sessions ends all. What would wait for
// that stream in its destructor is not destroyed, and stays within reach of leak checkers.
absl::Status Program::EndInsideCallback() {
  static auto* const kLeases = new std::map<std::shared_ptr<Host>, Lease>;
  static auto* const kChildren = new std::vector<std::shared_ptr<Child>>;
  {
    MutexLock lock(&mu_);
    kLeases->swap(leases_);
    kChildren->swap(children_);
  }
  return CloseAll(*kLeases);
}

absl::Status Program::EndBySignal() {
  std::map<std::shared_ptr<Host>, Lease> leases;
  {
    MutexLock lock(&mu_);
    has_ended_ = true;
    signal_thread_ = std::this_thread::get_id();
    leases.swap(leases_);
  }
  absl::Status closed = CloseAll(leases);
  MutexLock lock(&mu_);
  is_signal_done_ = true;
  return closed;
}

absl::Status Program::End() {
  SHOAL_RETURN_IF_ERROR(internal::CheckNotForked());
  {
    MutexLock lock(&mu_);
    auto is_signal_done = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return !signal_thread_.has_value() || is_signal_done_;
    };
    mu_.Await(is_signal_done);
    if (std::exchange(has_ended_, true)) return absl::OkStatus();
  }
  if (CallbackScope::IsInside()) return EndInsideCallback();
  absl::Status first = FirstError();
  for (const std::shared_ptr<Child>& child : Children()) {
    if (child->IsJoinedAtEnd()) first.Update(child->JoinAtEnd());
  }
  // Those that are left are daemons. Their exits are learned before the sessions forget them.
  for (const std::shared_ptr<Child>& child : Children()) first.Update(child->EndAtEnd());
  for (const std::shared_ptr<Child>& child : Children()) first.Update(child->JoinAtEnd());
  std::map<std::shared_ptr<Host>, Lease> leases;
  std::vector<std::shared_ptr<Child>> children;
  {
    MutexLock lock(&mu_);
    leases.swap(leases_);
    children.swap(children_);
    local_host_ = nullptr;
  }
  first.Update(CloseAll(leases));
  return first;
}

}  // namespace shoal
