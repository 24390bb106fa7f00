// What every subcommand shares: the settings in front of it, and the way to the hosts.
//
// Ownership:     main owns it; it outlives every subcommand.
// Thread-safety: main thread only.
// Blocking:      Connect() as Fleet::Connect and EnsureAgent do.
#ifndef SHOAL_CLIENT_CLI_CONTEXT_H_
#define SHOAL_CLIENT_CLI_CONTEXT_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/config.h"
#include "client/cli/selection.h"
#include "shoal/credentials.h"
#include "shoal/fleet.h"

namespace shoal::cli {

class Context {
 public:
  // Set by the parser.
  std::string hosts;             // -H; empty: SHOAL_HOSTS, else this machine
  std::string format = "table";  // -o
  TlsFiles tls;
  // run and start: what stood behind "--".
  std::vector<std::string> words_after_separator;
  bool has_separator = false;

  bool json() const { return format == "json"; }
  bool colours() const;

  // No host was named, and no agent answers on this machine.
  bool NobodyIsHere() const;

  // The hosts that were named, or this machine's agent, which is started if it is not there.
  // `ask_facts` as in FleetOptions; every host has to answer then.
  absl::StatusOr<Fleet> ConnectForWork(bool ask_facts);
  // The hosts that were named, those in front of a "/" in `selection`, or this machine's agent.
  // Sends nothing and starts nothing. NOT_FOUND: NobodyIsHere().
  absl::StatusOr<Fleet> ConnectExisting(const Selection& selection = {});

  // What a host is called in output: as it was written, if that was a name; of an address or a Unix
  // socket the agent's own name, once it is known.
  std::string NameOf(const Host& host) const;
  // Takes in the name that an agent gave itself, in its facts or in a process of its.
  void LearnName(const Host& host, const std::string& own_name);
  // Asks the hosts of `fleet` for what LearnName() would want to know and does not.
  void LearnNames(const Fleet& fleet);

  // A sentence about shoal itself, on stderr.
  void Note(absl::string_view sentence) const;
  // The same for an error, with what the configuration has to say to it; the exit status that goes
  // with it.
  int Fail(const absl::Status& status);

 private:
  absl::StatusOr<const Config*> LoadConfigOnce();
  absl::StatusOr<std::string> HostsFromStdin();
  absl::StatusOr<std::vector<HostAddress>> Addresses(absl::string_view hosts_text);
  absl::StatusOr<std::vector<HostAddress>> Named();
  absl::StatusOr<Fleet> Connect(std::vector<HostAddress> addresses, bool ask_facts);

  std::optional<Config> config_;
  std::map<const Host*, std::string> own_names_;
};

// Writes to stdout, for what a command prints; buffered until the command ends or FlushOutput().
void Print(absl::string_view text);
void FlushOutput();

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_CONTEXT_H_
