// Says of agents that stand still what a command would otherwise not see: behind a Unix socket the connection of one that
// is stopped stands, and what is waited for might just not have happened yet. Asks each every 10 s.
//
// Ownership:     the caller's, around its waiting; shares the hosts.
// Thread-safety: construct and destroy on one thread. Its own is the one that speaks.
// Blocking:      the destructor, while a sentence is written.
// Errors:        none; without a thread nothing is said.
#ifndef SHOAL_CLIENT_CLI_SILENCE_WATCH_H_
#define SHOAL_CLIENT_CLI_SILENCE_WATCH_H_

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "client/cli/invocation.h"
#include "shoal/fleet.h"
#include "shoal/host.h"

namespace shoal::cli {

class SilenceWatch {
 public:
  struct Watched {
    std::shared_ptr<Host> host;
    std::string name;
  };
  struct Rhythm {
    absl::Duration pause = absl::Seconds(10);  // between two questions
    absl::Duration patience = absl::Seconds(5);
  };

  explicit SilenceWatch(std::vector<Watched> hosts) : SilenceWatch(std::move(hosts), Rhythm()) {}
  SilenceWatch(std::vector<Watched> hosts, Rhythm rhythm);
  // All hosts of the fleet, by the names that they have in output.
  SilenceWatch(const Fleet& fleet, const Invocation& invocation);
  ~SilenceWatch();
  SilenceWatch(const SilenceWatch&) = delete;
  SilenceWatch& operator=(const SilenceWatch&) = delete;

 private:
  // Shared with the calls under way.
  struct State;

  const std::shared_ptr<State> state_;
  std::thread thread_;
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_SILENCE_WATCH_H_
