#include "client/cli/agent_restart.h"

#include <cerrno>
#include <fstream>
#include <iterator>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/exit_status.h"
#include "client/cli/json.h"
#include "client/cli/private_agent.h"
#include "client/cli/standard_output.h"
#include "client/cli/units.h"
#include "common/socket_trust.h"
#include "common/status.h"
#include "shoal/fleet.h"
#include "shoal/host_list.h"

namespace shoal::cli {
namespace {

constexpr absl::Duration kOldAgentPatience = absl::Seconds(30);

std::vector<std::string> CommandLineOf(pid_t pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/cmdline"));
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!text.empty() && text.back() == '\0') text.pop_back();
  return absl::StrSplit(text, '\0');
}

// Ends the one that listens there; the flags that it had.
absl::StatusOr<std::vector<std::string>> End(const std::string& socket) {
  SHOAL_ASSIGN_OR_RETURN(const ListenerHandle agent, OpenListener(socket));
  const std::optional<std::vector<std::string>> kept =
      ExtraFlagsOf(CommandLineOf(agent.pid), socket);
  if (!kept.has_value()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the agent (PID ", agent.pid,
                     ") was not started by `shoal`: restart it as it was started, such as by "
                     "`systemctl restart shoald`"));
  }
  SHOAL_RETURN_IF_ERROR(EndAgent(agent, kOldAgentPatience));
  return *kept;
}

absl::StatusOr<v1::Host> Restart(const HostAddress& here, const std::vector<std::string>& flags) {
  SHOAL_ASSIGN_OR_RETURN(const std::vector<std::string> kept, End(here.unix_path));
  SHOAL_RETURN_IF_ERROR(EnsureAgent(here.unix_path, flags.empty() ? kept : flags).status());
  SHOAL_ASSIGN_OR_RETURN(const Fleet fleet, Fleet::Connect({here}, {}));
  return fleet.hosts()[0].facts;
}

}  // namespace

std::string TellRestarted(absl::string_view socket, const v1::Host& facts) {
  return absl::StrCat("restarted the agent on unix:", socket, " (PID ", facts.agent_pid(), ", ",
                      Count(facts.slots(), "slot"), "); ",
                      Count(facts.live_processes(), "process", "es"),
                      facts.live_processes() == 1 ? " keeps running." : " keep running.");
}

int RestartAgent(const std::vector<std::string>& flags, Invocation& invocation) {
  const absl::StatusOr<AgentHere> here = FindAgentHere();
  if (!here.ok()) return invocation.Fail(here.status());
  const std::string& socket = here->address.unix_path;
  if (!here->is_answering) {
    invocation.Note("no agent is running on this machine; `shoal agent start` starts one.");
    return kExitUnreachable;
  }
  const absl::StatusOr<v1::Host> facts = Restart(here->address, flags);
  if (!facts.ok()) return invocation.Fail(facts.status());
  if (invocation.json()) {
    Print(HostLine(facts->name(), *facts));
    return 0;
  }
  invocation.Note(TellRestarted(socket, *facts));
  return 0;
}

}  // namespace shoal::cli
