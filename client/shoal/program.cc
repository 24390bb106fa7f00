#include "shoal/program.h"

#include <errno.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "common/status.h"

namespace shoal {
namespace {

std::string ProgramName() { return absl::StrCat("program ", program_invocation_short_name); }

}  // namespace

Program& Program::Get() {
  // gRPC was not used before the first Host, so its own ending comes after this one.
  static Program* const program = [] {
    std::atexit([] { Program::Get().End().IgnoreError(); });
    return new Program;
  }();
  return *program;
}

absl::StatusOr<std::shared_ptr<Host>> Program::LocalHost() {
  absl::MutexLock lock(&mu_);
  if (local_host_ == nullptr) {
    SHOAL_ASSIGN_OR_RETURN(local_host_, Host::Create(LocalAddress()));
  }
  return local_host_;
}

// A session that lapsed, with a host that was cut off for too long, makes room for a new one.
bool Program::IsUsable(const Lease& lease) const {
  if (lease.session == nullptr) return false;
  absl::Status status = lease.session->status();
  return status.ok() || absl::IsUnavailable(status);
}

absl::StatusOr<std::string> Program::SessionOn(const std::shared_ptr<Host>& host) {
  {
    absl::MutexLock lock(&mu_);
    auto is_settled = [&]()
                          ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !leases_[host].is_opening; };
    mu_.Await(absl::Condition(&is_settled));
    if (has_ended_) {
      return absl::FailedPreconditionError("the program has ended its processes: see EndProgram()");
    }
    if (IsUsable(leases_[host])) return leases_[host].session->id();
    leases_[host].is_opening = true;
  }
  SessionOptions options;
  options.name = ProgramName();
  absl::StatusOr<std::unique_ptr<Session>> session = Session::Open(host, std::move(options));
  std::unique_ptr<Session> former;  // destroyed without the mutex
  absl::MutexLock lock(&mu_);
  leases_[host].is_opening = false;
  if (!session.ok()) return session.status();
  former = std::exchange(leases_[host].session, *std::move(session));
  return leases_[host].session->id();
}

void Program::Add(std::shared_ptr<Child> child) {
  absl::MutexLock lock(&mu_);
  children_.push_back(std::move(child));
}

void Program::Remove(const Child* child) {
  std::shared_ptr<Child> removed;  // destroyed without the mutex
  absl::MutexLock lock(&mu_);
  auto found = std::find_if(children_.begin(), children_.end(),
                            [&](const auto& entry) { return entry.get() == child; });
  if (found == children_.end()) return;
  removed = std::move(*found);
  children_.erase(found);
}

std::vector<std::shared_ptr<Child>> Program::Children() const {
  absl::MutexLock lock(&mu_);
  return children_;
}

// All at the same time: a host that is not reached costs its TTL once.
absl::Status Program::CloseAll(const std::map<std::shared_ptr<Host>, Lease>& leases) {
  absl::Mutex mu;
  absl::Status first;
  absl::BlockingCounter pending(static_cast<int>(leases.size()));
  for (const auto& [host, lease] : leases) {
    if (lease.session == nullptr) {
      pending.DecrementCount();
      continue;
    }
    lease.session->Close({}, [&, name = host->name()](absl::StatusOr<v1::CloseResponse> closed) {
      if (closed.ok() && !closed->survivor_ids().empty()) {
        closed = absl::DeadlineExceededError(
            absl::StrCat(closed->survivor_ids_size(), " processes on ", name,
                         " could not be ended, such as ", closed->survivor_ids(0)));
      }
      {
        absl::MutexLock lock(&mu);
        first.Update(closed.status());
      }
      pending.DecrementCount();
    });
  }
  pending.Wait();
  return first;
}

absl::Status Program::End() {
  {
    absl::MutexLock lock(&mu_);
    if (std::exchange(has_ended_, true)) return absl::OkStatus();
  }
  absl::Status first;
  for (const std::shared_ptr<Child>& child : Children()) {
    if (child->IsJoinedAtEnd()) first.Update(child->JoinAtEnd());
  }
  // Those that are left are daemons. Their exits are learned before the sessions forget them.
  for (const std::shared_ptr<Child>& child : Children()) first.Update(child->EndAtEnd());
  for (const std::shared_ptr<Child>& child : Children()) first.Update(child->JoinAtEnd());
  std::map<std::shared_ptr<Host>, Lease> leases;
  std::vector<std::shared_ptr<Child>> children;
  {
    absl::MutexLock lock(&mu_);
    leases.swap(leases_);
    children.swap(children_);
    local_host_ = nullptr;
  }
  first.Update(CloseAll(leases));
  return first;
}

}  // namespace shoal
