// Finds the processes that a command is about, on every host, and calls their hosts.
//
// Thread-safety: main thread only.
// Blocking:      until every host has answered or its call is over.
#ifndef SHOAL_CLIENT_CLI_LOOKUP_H_
#define SHOAL_CLIENT_CLI_LOOKUP_H_

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/blocking_counter.h"
#include "client/cli/context.h"
#include "client/cli/selection.h"
#include "shoal/call.h"
#include "shoal/fleet.h"
#include "shoal/v1/process.pb.h"

namespace shoal::cli {

// A process and where it is; process.host is the host's name as Context::NameOf() has it.
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
  // Every term that is no glob has to match something.
  bool must_match = true;
};

// NOT_FOUND, naming the terms, when something that must match does not, and every host was asked.
absl::StatusOr<Lookup> FindProcesses(const Fleet& fleet, const Selection& selection,
                                     Context& context, LookupOptions options = {});

// How many characters of their ids tell them apart, at least 6.
size_t ShownIdLength(const std::vector<Found>& found);

// Those of one host, in order.
struct HostShare {
  std::shared_ptr<Host> host;
  v1::Selector selector;  // their ids
  std::vector<const Found*> members;
};
std::vector<HostShare> ByHost(const std::vector<Found>& found);

// Makes one asynchronous call for each share at the same time and waits for all; results are
// parallel.
template <typename T>
std::vector<absl::StatusOr<T>> CallEach(
    const std::vector<HostShare>& shares,
    const std::function<void(const HostShare&, Done<T>)>& start) {
  std::vector<absl::StatusOr<T>> results(shares.size(), absl::UnknownError("no answer"));
  absl::BlockingCounter pending(static_cast<int>(shares.size()));
  for (size_t i = 0; i < shares.size(); ++i) {
    start(shares[i], [&results, &pending, i](absl::StatusOr<T> result) {
      results[i] = std::move(result);
      pending.DecrementCount();
    });
  }
  pending.Wait();
  return results;
}

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_LOOKUP_H_
