#include "shoal/host.h"

#include <sys/un.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "shoal/wire/host_rep.h"
#include "shoal/wire/owner.h"
#include "shoal/wire/retried_call.h"
#include "shoal/wire/shared_output.h"
#include "shoal/wire/shared_state.h"

namespace shoal {
namespace {

constexpr size_t kMaxUnixPathBytes = sizeof(sockaddr_un{}.sun_path) - 1;

absl::Status CheckPath(const HostAddress& address) {
  if (address.unix_path.size() <= kMaxUnixPathBytes) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("socket path too long (", address.unix_path.size(),
                                                 " > ", kMaxUnixPathBytes,
                                                 "): ", address.unix_path));
}

}  // namespace

Host::Rep::Rep(HostAddress host_address, HostOptions host_options)
    : address(std::move(host_address)),
      options(std::move(host_options)),
      create_time(BootTime::Now()),
      forwarded_output(std::make_shared<SharedOutput>(this)),
      told_output(std::make_shared<SharedOutput>(this)),
      shared_state(std::make_shared<SharedState>(this)),
      connection(address, options, [this] { active.WakeAll(); }) {}

Host::Rep::~Rep() { overdue->Drop(overdue_id); }

void Host::Rep::CancelOverdue(BootTime due_before) {
  if (active.CancelOverdue(due_before)) connection.ResetBackoff();
}

AgentIdentity Host::Rep::Identity() const {
  MutexLock lock(&mu);
  return identity;
}

void Host::Rep::Pin(const std::string& agent_id, const std::string& boot_id) {
  MutexLock lock(&mu);
  if (identity.agent_id.empty()) identity = {agent_id, boot_id};
}

void Host::Rep::NoteAnswer(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      if (!IsConnectFailure(status)) was_connected.store(true, std::memory_order_relaxed);
      connection.Renew();
      return;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::CANCELLED:
      return;  // says nothing of whether the host was there
    default:
      has_answered.store(true, std::memory_order_relaxed);
      NoteReached();
  }
}

void Host::Rep::NoteReached() {
  MutexLock lock(&mu);
  broken_since.reset();
}

BootTime Host::Rep::BrokenSince(BootTime now) {
  MutexLock lock(&mu);
  if (!broken_since.has_value()) broken_since = now;
  return *broken_since;
}

Attempt Host::Rep::AttemptUntil(BootTime deadline, bool retry_wanted) const {
  Attempt attempt;
  attempt.retry_wanted = retry_wanted;
  attempt.has_answered = has_answered.load(std::memory_order_relaxed);
  // An agent that dies over the very first call is as worth waiting for as one that has answered,
  // but only for the time of a connect: what closes every connection may be no agent at all.
  attempt.wait_for_agent = options.wait_for_agent || was_connected.load(std::memory_order_relaxed);
  attempt.connect_deadline = create_time + options.connect_timeout;
  attempt.deadline = deadline;
  return attempt;
}

absl::StatusOr<std::shared_ptr<Host>> Host::Create(HostAddress address, HostOptions options) {
  absl::Status checked = CheckPath(address);
  if (checked.ok()) checked = options.credentials.MaySpeakTo(address);
  if (checked.ok()) checked = internal::ClaimGrpc();
  if (!checked.ok()) return checked;
  return std::shared_ptr<Host>(
      new Host(std::make_shared<Rep>(std::move(address), std::move(options))));
}

Host::Host(std::shared_ptr<Rep> rep) : rep_(std::move(rep)) {}

Host::~Host() {
  internal::KeepInFork(rep_);
  if (internal::IsForked()) return;
  // gRPC aborts when one of its own threads destroys the channel, and a callback cannot wait for
  // itself.
  if (CallbackScope::IsInside()) {
    std::thread([rep = rep_] { rep->active.CancelAllAndWait(); }).detach();
    return;
  }
  rep_->active.CancelAllAndWait();
}

const std::string& Host::name() const { return rep_->address.name; }
const HostAddress& Host::address() const { return rep_->address; }
AgentIdentity Host::identity() const { return rep_->Identity(); }
std::string Host::NewRequestId() const { return NewRequestIdAt(AgentTime()); }
absl::Time Host::AgentTime() const { return rep_->clock.Now(); }
ClockReading Host::ReadClock() const { return rep_->clock.Read(); }

}  // namespace shoal
