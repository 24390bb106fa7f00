// What every subcommand shares: the settings in front of it, and the way to the hosts.
//
// Ownership:     main owns it; it outlives every subcommand.
// Thread-safety: main thread only.
// Blocking:      Connect() as Fleet::Connect and EnsureAgent do.
#ifndef SHOAL_CLIENT_CLI_INVOCATION_H_
#define SHOAL_CLIENT_CLI_INVOCATION_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/config.h"
#include "client/cli/json.h"
#include "client/cli/selection.h"
#include "client/cli/table.h"
#include "shoal/credentials.h"
#include "shoal/fleet.h"

namespace shoal::cli {

class Invocation {
 public:
  // Set by the parser.
  std::string hosts;             // -H, never empty if given; empty: SHOAL_HOSTS, else this machine
  std::string format = "table";  // -o
  bool quiet = false;            // -q
  TlsFiles tls;
  // run and start: hosts that cannot be reached are left out, if so many are left.
  bool skip_unreachable = false;
  int min_hosts = 0;  // 0: one
  bool may_skip() const { return skip_unreachable || min_hosts > 0; }
  // run and start: what stood behind "--".
  std::vector<std::string> words_after_separator;
  bool has_separator = false;

  bool json() const { return format == "json"; }
  bool colours() const;
  // How tables look on our stdout: as wide as its terminal, if it is one and nothing is said against it (--no-trunc).
  TableLook look(bool no_trunc = false) const;

  // No host was named, and the agent of this machine does not answer.
  bool NobodyIsHere() const;

  // The hosts that were named, or this machine's agent, which is started if it is not there.
  // Asked for their facts, every host has to answer, but for skip_unreachable. UNAVAILABLE: there is no agent where
  // $SHOAL_AGENT says; or too few have answered.
  enum class Ask { kNone, kAll, kSeveral };  // kSeveral: all, if they are more than one
  absl::StatusOr<Fleet> ConnectForWork(Ask ask);
  // Whether `reason` is that of a host that may be left out: it was not reached, or did not answer, and the user
  // has allowed that.
  bool MayLeaveOut(const absl::Status& reason) const;
  // The hosts of `among` that `reason` is about, as HostOf() has it, if it may be left out.
  std::vector<UnreachableHost> LostTo(const absl::Status& reason,
                                      const std::vector<std::shared_ptr<Host>>& among) const;
  // `fleet` without `lost`, which TellSkipped() tells. UNAVAILABLE: too few are left.
  absl::StatusOr<Fleet> LeaveOut(const Fleet& fleet, std::vector<UnreachableHost> lost);
  // The hosts that were named, those in front of a "/" in `selection`, or this machine's agent.
  // Sends nothing to the others; of this machine only the user's own agent is started, which finds
  // again what an earlier one left running. UNAVAILABLE: that of this machine is not this user's to
  // start (root's, or that of $SHOAL_AGENT), and is not there.
  absl::StatusOr<Fleet> ConnectExisting(const Selection& selection = {});

  // What a host behind a network is spoken to with.
  absl::StatusOr<HostOptions> OptionsForNetwork();

  // What a host is called in output: as it was written, if that was a name; of an address or a Unix
  // socket the agent's own name, once it is known, unless two hosts are called alike: then all are called as
  // they were written.
  std::string NameOf(const Host& host) const;
  // What stands before a "/" for it besides: its own name, if no other host is called so; else as NameOf().
  std::string OwnNameOf(const Host& host) const;
  // All that may stand before a "/" for it: that, as it was written, and the address of its Unix socket.
  std::vector<std::string> NamesOf(const Host& host) const;
  // Says which hosts of `fleet` are two names of one agent, as far as the agents are known; each once.
  void TellOneAgentTwice(const Fleet& fleet);
  void TellOneAgentTwice(const Host& first, const Host& second);
  // Asks the hosts of `fleet` which agent they are, and says the same.
  void LearnAgents(const Fleet& fleet);
  // Takes in the name that an agent gave itself, in its facts or in a process of its.
  void LearnName(const Host& host, const std::string& own_name);
  // The same of all: two that call themselves alike are told apart once both are known.
  void LearnNames(const std::vector<HostResult<v1::Host>>& answers);
  // Asks the hosts of `fleet` for what LearnName() would want to know and does not.
  void LearnNames(const Fleet& fleet);

  // What Progress says while all hosts of `fleet` are asked: "asking ant", "asking 3 hosts".
  std::string TellAsking(const Fleet& fleet) const;

  // Says which hosts were left out by skip_unreachable, and why; nothing if none was.
  void TellSkipped();

  // Says, once, that bytes on stdin are given to no process, and `instead`. Called before and after the work: the
  // one who sends them may be slower than we are.
  void TellWaitingInput(absl::string_view instead = "they read /dev/null");

  // A sentence about shoal itself, on stderr.
  void Note(absl::string_view sentence) const;
  // The same of what is missing of what was asked for. Not silenced by -q.
  void TellLoss(absl::string_view sentence) const;
  // The same for an error, with what the configuration has to say to it; for scripts also as a line of JSON about
  // `subject`, else about the host of WithHost(). Not silenced by -q. The exit status that goes with it.
  int Fail(const absl::Status& status, Subject subject = {});
  // The same for a process that was to be started.
  int FailToStart(const absl::Status& status, Subject subject = {});
  // The error of an answer of this host.
  static absl::Status WithHost(absl::Status status, absl::string_view host);
  // The host of WithHost(); empty: none was given.
  static std::string HostOf(const absl::Status& status);

 private:
  int Fail(const absl::Status& status, int exit_status, Subject subject);
  absl::StatusOr<const Config*> LoadConfigOnce();
  absl::StatusOr<std::string> HostsFromStdin();
  absl::StatusOr<std::vector<HostAddress>> Addresses(absl::string_view hosts_text);
  std::vector<HostAddress> MergeOneAddress(std::vector<HostAddress> addresses) const;
  absl::StatusOr<std::vector<HostAddress>> Named();
  absl::Status EnsureHere(const std::string& socket, bool may_start);
  absl::StatusOr<Fleet> Connect(std::vector<HostAddress> addresses, FleetOptions options);
  absl::Status CheckEnough(size_t answered) const;

  std::optional<Config> config_;
  std::map<const Host*, std::string> own_names_;
  std::map<std::string, int> called_so_;  // of how many hosts it is the name, if each has its own
  std::vector<UnreachableHost> skipped_;  // by skip_unreachable, not yet told
  std::set<const Host*> told_twice_;
  bool is_input_told_ = false;
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_INVOCATION_H_
