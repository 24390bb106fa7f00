#include "shoal/fleet.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/socket_trust.h"
#include "common/status.h"
#include "shoal/host/connection_room.h"

namespace shoal {
namespace {

// One sentence for all hosts that did not answer; the code is that of the first. What this program
// lacks is no trouble of theirs, and said once.
absl::Status Unreachable(const std::vector<UnreachableHost>& hosts) {
  constexpr size_t kNamed = 4;
  for (const UnreachableHost& host : hosts) {
    if (absl::IsResourceExhausted(host.reason)) return host.reason;
  }
  std::vector<absl::string_view> reasons;
  for (const UnreachableHost& host : hosts) {
    if (reasons.size() < kNamed) reasons.push_back(host.reason.message());
  }
  std::string rest = hosts.size() > kNamed
                         ? absl::StrCat("; and ", hosts.size() - kNamed, " other hosts")
                         : std::string();
  return absl::Status(hosts[0].reason.code(), absl::StrCat(absl::StrJoin(reasons, "; "), rest));
}

}  // namespace

absl::StatusOr<Fleet> Fleet::Connect(absl::string_view hosts, FleetOptions options) {
  std::string text(hosts);
  if (text.empty()) {
    SHOAL_ASSIGN_OR_RETURN(text, DefaultHosts());
  }
  const absl::StatusOr<HostAddress> here = LocalAddress();
  if (here.ok() && text == absl::StrCat("unix:", here->unix_path)) {
    SHOAL_RETURN_IF_ERROR(CheckSocketDirectory(here->unix_path));
  }
  absl::StatusOr<std::vector<HostAddress>> addresses = ParseHostList(text, options.groups);
  if (!addresses.ok()) return addresses.status();
  if (!options.host.credentials.has_certificate()) {
    absl::StatusOr<Credentials> credentials = Credentials::FromEnvironment();
    if (!credentials.ok()) return credentials.status();
    options.host.credentials = *std::move(credentials);
  }
  return Connect(*std::move(addresses), std::move(options));
}

absl::StatusOr<Fleet> Fleet::Connect(std::vector<HostAddress> addresses, FleetOptions options) {
  if (addresses.empty()) return absl::InvalidArgumentError("hosts: the list is empty");
  if (absl::Status room = internal::MakeRoomForConnections(addresses.size()); !room.ok())
    return room;
  Fleet fleet;
  for (HostAddress& address : addresses) {
    absl::StatusOr<std::shared_ptr<Host>> host = Host::Create(std::move(address), options.host);
    if (!host.ok()) return host.status();
    fleet.hosts_.push_back({*std::move(host), v1::Host()});
  }
  if (!options.ask_facts) return fleet;

  std::vector<HostResult<v1::Host>> answers = fleet.FanOut<v1::Host>(
      [](Host& host, Done<v1::Host> done) { host.GetFacts({}, std::move(done)); });
  std::vector<FleetHost> reached;
  for (HostResult<v1::Host>& answer : answers) {
    if (answer.result.ok()) {
      reached.push_back({answer.host, *std::move(answer.result)});
    } else {
      fleet.unreachable_.push_back({answer.host->address(), answer.result.status()});
    }
  }
  if (reached.empty() || (options.require_all && !fleet.unreachable_.empty())) {
    return Unreachable(fleet.unreachable_);
  }
  fleet.hosts_ = std::move(reached);
  return fleet;
}

Fleet Fleet::Of(std::vector<FleetHost> hosts) {
  Fleet fleet;
  fleet.hosts_ = std::move(hosts);
  return fleet;
}

std::vector<int> Fleet::slot_counts() const {
  std::vector<int> counts;
  for (const FleetHost& host : hosts_) counts.push_back(std::max(0, host.facts.slots()));
  return counts;
}

std::vector<Slot> Fleet::slots() const {
  std::vector<Slot> slots;
  for (const FleetHost& host : hosts_) {
    for (int i = 0; i < host.facts.slots(); ++i) slots.push_back({host.host, i});
  }
  return slots;
}

}  // namespace shoal
