#include "shoal/host.h"

#include <sys/un.h>

#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "shoal/host/host_rep.h"
#include "shoal/host/shared_output.h"
#include "shoal/host/shared_state.h"
#include "shoal/link/callback_scope.h"
#include "shoal/link/owner.h"
#include "shoal/wire/make_link.h"

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

Host::Rep::Rep(std::shared_ptr<Link> host_link)
    : link(std::move(host_link)),
      forwarded_output(std::make_shared<SharedOutput>(link.get())),
      told_output(std::make_shared<SharedOutput>(link.get())),
      shared_state(std::make_shared<SharedState>(link.get())) {}

AgentIdentity Host::Rep::Identity() const {
  MutexLock lock(&mu);
  return identity;
}

void Host::Rep::Pin(const std::string& agent_id, const std::string& boot_id) {
  MutexLock lock(&mu);
  if (identity.agent_id.empty()) identity = {agent_id, boot_id};
}

void Host::Rep::KeepToken(const std::string& session_id, const std::string& token) {
  MutexLock lock(&mu);
  tokens[session_id] = token;
}

void Host::Rep::ForgetToken(const std::string& session_id, const std::string& token) {
  MutexLock lock(&mu);
  const auto found = tokens.find(session_id);
  if (found != tokens.end() && found->second == token) tokens.erase(found);
}

std::string Host::Rep::TokenOf(const std::string& session_id) const {
  MutexLock lock(&mu);
  const auto found = tokens.find(session_id);
  return found == tokens.end() ? "" : found->second;
}

absl::StatusOr<std::shared_ptr<Host>> Host::Create(HostAddress address, HostOptions options) {
  absl::Status checked = CheckPath(address);
  if (checked.ok()) checked = options.credentials.MaySpeakTo(address);
  if (checked.ok()) checked = internal::ClaimGrpc();
  if (!checked.ok()) return checked;
  return Over(MakeLink(std::move(address), std::move(options)));
}

std::shared_ptr<Host> Host::Over(std::shared_ptr<Link> link) {
  return std::shared_ptr<Host>(new Host(std::make_shared<Rep>(std::move(link))));
}

Host::Host(std::shared_ptr<Rep> rep) : rep_(std::move(rep)) {}

Host::~Host() {
  internal::KeepInFork(rep_);
  if (internal::IsForked()) return;
  // gRPC aborts when one of its own threads destroys the channel, and a callback cannot wait for
  // itself.
  if (CallbackScope::IsInside()) {
    auto kept = std::make_unique<std::shared_ptr<Rep>>(std::move(rep_));
    try {
      std::thread([rep = kept.get()] {
        (*rep)->link->CancelAllAndWait();
        delete rep;
      }).detach();
    } catch (const std::system_error&) {
      // No thread is to be had: it stays, and its calls end by themselves.
    }
    kept.release();  // to the thread
    return;
  }
  rep_->link->CancelAllAndWait();
}

const std::string& Host::name() const { return address().name; }
const HostAddress& Host::address() const { return rep_->link->address(); }
AgentIdentity Host::identity() const { return rep_->Identity(); }
std::string Host::NewRequestId() const { return NewRequestIdAt(AgentTime()); }
absl::Time Host::AgentTime() const { return rep_->link->AgentTime(); }
ClockReading Host::ReadClock() const { return rep_->link->ReadClock(); }

}  // namespace shoal
