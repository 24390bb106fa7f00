#include "shoal/host.h"

#include <sys/un.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/ids.h"
#include "shoal/wire/channel.h"
#include "shoal/wire/host_rep.h"
#include "shoal/wire/unary_call.h"

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
      create_time(absl::Now()),
      channel(MakeChannel(address, options)),
      hosts(channel),
      processes(channel),
      sessions(channel),
      blobs(channel) {}

AgentIdentity Host::Rep::Identity() const {
  absl::MutexLock lock(&mu);
  return identity;
}

void Host::Rep::Pin(const std::string& agent_id, const std::string& boot_id) {
  absl::MutexLock lock(&mu);
  if (identity.agent_id.empty()) identity = {agent_id, boot_id};
}

void Host::Rep::NoteAnswer(const grpc::Status& status) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      if (!IsConnectFailure(status)) was_connected.store(true, std::memory_order_relaxed);
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
  absl::MutexLock lock(&mu);
  broken_since.reset();
}

absl::Time Host::Rep::BrokenSince(absl::Time now) {
  absl::MutexLock lock(&mu);
  if (!broken_since.has_value()) broken_since = now;
  return *broken_since;
}

Attempt Host::Rep::AttemptUntil(absl::Time deadline, bool retry_wanted) const {
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
  if (!checked.ok()) return checked;
  return std::shared_ptr<Host>(
      new Host(std::make_shared<Rep>(std::move(address), std::move(options))));
}

Host::Host(std::shared_ptr<Rep> rep) : rep_(std::move(rep)) {}

Host::~Host() {
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

}  // namespace shoal
