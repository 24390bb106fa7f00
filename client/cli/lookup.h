// Finds the processes that a command is about, on every host.
//
// Thread-safety: main thread only.
// Blocking:      until every host has answered or its call is over.
#ifndef SHOAL_CLIENT_CLI_LOOKUP_H_
#define SHOAL_CLIENT_CLI_LOOKUP_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/cli/invocation.h"
#include "client/cli/selection.h"
#include "shoal/fleet.h"
#include "shoal/v1/process.pb.h"

namespace shoal::cli {

// A process and where it is; process.host is the host's name as Invocation::NameOf() has it.
struct Found {
  std::shared_ptr<Host> host;
  v1::Process process;
};

struct Lookup {
  std::vector<Found> found;            // host after host, oldest first
  std::vector<absl::Status> failures;  // of hosts that did not answer
};

struct LookupOptions {
  bool live_usage = false;
  // What a glob or labels select may come later; a name or an id has to match something all the same.
  bool may_come = false;
};

// OK if each host that stands before a "/" is one of `fleet`. NOT_FOUND names it, and one that is called almost so.
absl::Status CheckHosts(const Fleet& fleet, const Selection& selection, Invocation& invocation);

// NOT_FOUND, naming the terms, when something that must match does not, and every host was asked; or as
// CheckHosts().
absl::StatusOr<Lookup> FindProcesses(const Fleet& fleet, const Selection& selection,
                                     Invocation& invocation, LookupOptions options = {});

// How many characters of their ids tell them apart, at least 6.
size_t ShownIdLength(const std::vector<Found>& found);

// Those of one host, in order.
struct HostShare {
  std::shared_ptr<Host> host;
  v1::Selector selector;  // their ids
  std::vector<const Found*> members;
};
std::vector<HostShare> ByHost(const std::vector<Found>& found);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_LOOKUP_H_
