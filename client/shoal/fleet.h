// Hosts that are addressed together.
//
// Ownership:     a value; its Hosts are shared with the callers that took them from it.
// Thread-safety: const methods are thread-safe.
// Blocking:      Connect() asks every host once, all at the same time, unless told not to.
#ifndef SHOAL_CLIENT_SHOAL_FLEET_H_
#define SHOAL_CLIENT_SHOAL_FLEET_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "shoal/call.h"
#include "shoal/fan_out.h"
#include "shoal/host.h"
#include "shoal/host_list.h"

namespace shoal {

struct FleetOptions {
  HostOptions host;
  // What "@group" is; without it, INVALID_ARGUMENT.
  GroupLookup groups;
  // Ask each host for its facts: slots, load, identity. Without, nothing is sent, hosts() is
  // everything that was named, and slots() is empty. One host that is only spawned upon saves a
  // round trip so.
  bool ask_facts = true;
  // Connect() fails if a host cannot be reached, naming each with its reason; otherwise they stand
  // in unreachable().
  bool require_all = true;
};

// Room for one process, by default one usable core.
struct Slot {
  std::shared_ptr<Host> host;
  int index = 0;  // 0…slots−1 on its host
};

// A host of a fleet that answered.
struct FleetHost {
  std::shared_ptr<Host> host;
  v1::Host facts;  // empty without FleetOptions.ask_facts

  const std::string& name() const { return host->name(); }
};

// A host of a fleet that did not.
struct UnreachableHost {
  HostAddress address;
  absl::Status reason;
};

// What one host answered to a call that was made to many.
template <typename T>
struct HostResult {
  std::shared_ptr<Host> host;
  absl::StatusOr<T> result;
};

class Fleet {
 public:
  // `hosts` as for ParseHostList; empty means DefaultHosts(). Without a certificate among the
  // options, that of Credentials::FromEnvironment(): SHOAL_TLS_CERT, SHOAL_TLS_KEY, SHOAL_TLS_CA. The
  // config.toml of the command line is not read, neither for these nor for its hosts and groups.
  // INVALID_ARGUMENT: the list is malformed, or only some of the files are named. FAILED_PRECONDITION:
  // credentials are missing, or the socket of this machine's agent, which nobody named, may be
  // another user's. UNAVAILABLE: see require_all, or no host answered. RESOURCE_EXHAUSTED: this
  // program cannot have so many connections. If it can, its soft limit on descriptors (RLIMIT_NOFILE)
  // is raised where they need it.
  static absl::StatusOr<Fleet> Connect(absl::string_view hosts = "", FleetOptions options = {});
  static absl::StatusOr<Fleet> Connect(std::vector<HostAddress> addresses,
                                       FleetOptions options = {});

  // Of hosts that are there already, in this order, with what is known of them.
  static Fleet Of(std::vector<FleetHost> hosts);

  // In the order named.
  const std::vector<FleetHost>& hosts() const { return hosts_; }
  const std::vector<UnreachableHost>& unreachable() const { return unreachable_; }
  // One per slot of each host, host by host.
  std::vector<Slot> slots() const;
  // Slots by host, parallel to hosts(), as the functions of placement.h take them.
  std::vector<int> slot_counts() const;

  // Makes one asynchronous call to every host at the same time and waits for all: `start(host,
  // done)` starts it. Results are parallel to hosts(); a failure is in its place, never dropped.
  //   fleet.FanOut<v1::TerminateResponse>([&](Host& host, Done<v1::TerminateResponse> done) {
  //     host.Terminate(request, {}, std::move(done));
  //   });
  template <typename T>
  std::vector<HostResult<T>> FanOut(const std::function<void(Host&, Done<T>)>& start) const;

 private:
  Fleet() = default;

  std::vector<FleetHost> hosts_;
  std::vector<UnreachableHost> unreachable_;
};

template <typename T>
std::vector<HostResult<T>> Fleet::FanOut(const std::function<void(Host&, Done<T>)>& start) const {
  std::vector<absl::StatusOr<T>> answers = shoal::FanOut<T>(
      hosts_.size(), [&](size_t i, Done<T> done) { start(*hosts_[i].host, std::move(done)); });
  std::vector<HostResult<T>> results;
  results.reserve(hosts_.size());
  for (size_t i = 0; i < hosts_.size(); ++i) {
    results.push_back({hosts_[i].host, std::move(answers[i])});
  }
  return results;
}

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_FLEET_H_
