// `shoal agent`: starts, ends and shows the agent of this machine.
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "client/cli/agent_restart.h"
#include "client/cli/bulk.h"
#include "client/cli/command.h"
#include "client/cli/exit_status.h"
#include "client/cli/json.h"
#include "client/cli/private_agent.h"
#include "client/cli/standard_output.h"
#include "client/cli/table.h"
#include "client/cli/table_options.h"
#include "client/cli/units.h"
#include "client/cli/wording.h"

namespace shoal::cli {
namespace {

constexpr absl::Duration kEndPatience = absl::Seconds(30);

absl::Status RefuseHosts(const Invocation& invocation) {
  if (invocation.hosts.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      "`shoal agent` is about this machine only; -H has no meaning here");
}

absl::StatusOr<Fleet> ConnectHere(const HostAddress& here) { return Fleet::Connect({here}, {}); }

int RunStart(const std::vector<std::string>& flags, Invocation& invocation) {
  if (absl::Status status = RefuseHosts(invocation); !status.ok()) return invocation.Fail(status);
  const absl::StatusOr<AgentHere> here = FindAgentHere();
  if (!here.ok()) return invocation.Fail(here.status());
  const std::string& socket = here->address.unix_path;
  if (socket != DefaultSocketPath() && !here->is_answering)
    return invocation.Fail(AgentIsAway(socket));
  absl::StatusOr<bool> started = EnsureAgent(socket, flags);
  if (!started.ok()) return invocation.Fail(started.status());
  absl::StatusOr<Fleet> fleet = ConnectHere(here->address);
  if (!fleet.ok()) return invocation.Fail(fleet.status());
  const v1::Host& facts = fleet->hosts()[0].facts;
  if (!*started && !flags.empty()) {
    return invocation.Fail(absl::FailedPreconditionError(
        absl::StrCat("an agent runs already on unix:", socket, " (PID ", facts.agent_pid(),
                     "), without these flags; `shoal agent restart -- ", absl::StrJoin(flags, " "),
                     "` gives them to the next one, and processes go on meanwhile")));
  }
  if (invocation.json()) {
    Print(HostLine(facts.name(), facts));
    return 0;
  }
  invocation.Note(absl::StrCat(
      *started ? "started an agent on unix:" : "an agent runs already on unix:", socket, " (PID ",
      facts.agent_pid(), ", ", Count(facts.slots(), "slot"), ")."));
  return 0;
}

int RunStatus(bool no_trunc, Invocation& invocation) {
  if (absl::Status status = RefuseHosts(invocation); !status.ok()) return invocation.Fail(status);
  const absl::StatusOr<AgentHere> here = FindAgentHere();
  if (!here.ok()) return invocation.Fail(here.status());
  const std::string& socket = here->address.unix_path;
  if (!here->is_answering) {
    return invocation.Fail(
        absl::UnavailableError(absl::StrCat("no agent answers on unix:", socket)));
  }
  absl::StatusOr<Fleet> fleet = ConnectHere(here->address);
  if (!fleet.ok()) return invocation.Fail(fleet.status());
  const v1::Host& facts = fleet->hosts()[0].facts;
  if (invocation.json()) {
    Print(HostLine(facts.name(), facts));
    return 0;
  }
  Table table(
      {"PID", "SOCKET", "VERSION", "SLOTS", "PROCESSES", "SESSIONS", "SINCE", "STATE DIRECTORY"});
  absl::Time start = ToTime(facts.has_agent_start_time(), facts.agent_start_time());
  table.Add({absl::StrCat(facts.agent_pid()), socket, facts.agent_version(),
             absl::StrCat(facts.slots()), absl::StrCat(facts.live_processes()),
             absl::StrCat(facts.open_sessions()), FormatAge(absl::Now() - start),
             facts.state_dir()});
  table.MayLeaveOut({"SESSIONS", "SINCE", "SLOTS", "VERSION"});
  Print(table.Render(invocation.look(no_trunc)));
  return 0;
}

// Ends every process of the agent; false, with complaints, if some could not be.
bool StopAll(const Fleet& fleet, Invocation& invocation) {
  v1::TerminateRequest request;
  request.mutable_selector()->set_all(true);
  absl::StatusOr<v1::TerminateResponse> response =
      fleet.hosts()[0].host->Terminate(std::move(request));
  if (absl::IsNotFound(response.status())) return true;
  if (!response.ok()) {
    invocation.Fail(response.status());
    return false;
  }
  bool all_ended = true;
  for (v1::ProcessResult& result : *response->mutable_results()) {
    if (!result.has_error()) continue;
    invocation.Fail(StatusOf(result.error(), result.process()));
    all_ended = false;
  }
  return all_ended;
}

// What becomes of the templates of an agent that has ended; empty without any.
std::string FateOfTemplates(const v1::Host& facts) {
  if (facts.live_templates() == 0) return "";
  const absl::Duration dead_man = ToSpan(facts.template_dead_man());
  return absl::StrCat(
      " ", Count(facts.live_templates(), "template"),
      facts.live_templates() == 1 ? " ends " : " end ",
      dead_man == absl::ZeroDuration()
          ? "with it."
          : absl::StrCat("in ", FormatSpan(dead_man), " unless an agent is started."));
}

int RunStop(bool all, Invocation& invocation) {
  if (absl::Status status = RefuseHosts(invocation); !status.ok()) return invocation.Fail(status);
  const absl::StatusOr<AgentHere> here = FindAgentHere();
  if (!here.ok()) return invocation.Fail(here.status());
  const std::string& socket = here->address.unix_path;
  if (!here->is_answering) {
    if (!all) {
      invocation.Note("no agent is running on this machine.");
      return 0;
    }
    // What it has left running is to end, too, and the next one finds it.
    if (!IsOwnAgent(socket)) return invocation.Fail(AgentIsAway(socket));
    absl::StatusOr<bool> started = EnsureAgent(socket);
    if (!started.ok()) return invocation.Fail(started.status());
  }
  absl::StatusOr<Fleet> fleet = ConnectHere(here->address);
  if (!fleet.ok()) return invocation.Fail(fleet.status());
  if (all && !StopAll(*fleet, invocation)) {
    invocation.Note("the agent was left running, since not all processes have ended.");
    return kExitTryAgain;
  }
  const v1::Host& facts = fleet->hosts()[0].facts;
  // The one that the kernel names: what an agent says of itself signals nobody.
  const absl::StatusOr<ListenerHandle> agent = OpenListener(socket);
  if (!agent.ok()) return invocation.Fail(agent.status());
  if (absl::Status ended = EndAgent(*agent, kEndPatience); !ended.ok())
    return invocation.Fail(ended);
  if (invocation.json()) Print(HostLine(facts.name(), facts));  // as it was at last
  bool left = !all && facts.live_processes() > 0;
  invocation.Note(absl::StrCat(
      "the agent (PID ", agent->pid, ") has ended",
      left ? absl::StrCat("; ", Count(facts.live_processes(), "process", "es"),
                          facts.live_processes() == 1
                              ? " of its keeps running, and the next agent finds it again."
                              : " of its keep running, and the next agent finds them again.")
           : "; no process is left.",
      all ? "" : FateOfTemplates(facts)));
  return 0;
}

CLI::App* AddVerb(CLI::App* agent, Invocation& invocation, const std::string& name,
                  const std::string& description, const std::string& example) {
  CLI::App* verb = agent->add_subcommand(name, description);
  verb->add_option("-o,--output", invocation.format,
                   "table, or json: one object per line, with the field names of the protos")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str()
      ->type_name("FORMAT");
  verb->footer("Examples:\n" + example);
  return verb;
}

}  // namespace

void AddAgent(Parser& parser) {
  CLI::App* agent =
      parser.app.add_subcommand("agent", "Start, end or show the agent of this machine");
  agent->require_subcommand(1);
  agent->footer("Examples:\n  shoal agent status");
  auto flags = std::make_shared<std::vector<std::string>>();
  auto all = std::make_shared<bool>(false);
  CLI::App* start = AddVerb(agent, parser.invocation, "start", "Start it, unless it runs",
                            "  shoal agent start\n  shoal agent start -- --slots 4");
  start->add_option("flags", *flags, "Further flags of shoald")->type_name("-- FLAGS");
  start->callback([&parser, flags] {
    parser.chosen = [&invocation = parser.invocation, flags] {
      return RunStart(*flags, invocation);
    };
  });
  auto new_flags = std::make_shared<std::vector<std::string>>();
  CLI::App* restart = AddVerb(agent, parser.invocation, "restart",
                              "End it and start it again; processes keep running",
                              "  shoal agent restart\n  shoal agent restart -- --slots 4");
  restart->add_option("flags", *new_flags, "Further flags of shoald (default: those that it has)")
      ->type_name("-- FLAGS");
  restart->callback([&parser, new_flags] {
    parser.chosen = [&invocation = parser.invocation, new_flags] {
      const absl::Status status = RefuseHosts(invocation);
      return status.ok() ? RestartAgent(*new_flags, invocation) : invocation.Fail(status);
    };
  });
  CLI::App* stop = AddVerb(agent, parser.invocation, "stop",
                           "End it; processes keep running without it", "  shoal agent stop --all");
  stop->add_flag("--all", *all, "End every process first");
  stop->callback([&parser, all] {
    parser.chosen = [&invocation = parser.invocation, all] { return RunStop(*all, invocation); };
  });
  CLI::App* status = AddVerb(agent, parser.invocation, "status",
                             "Show it; exit 69 if there is none", "  shoal agent status -o json");
  auto no_trunc = std::make_shared<bool>(false);
  AddNoTrunc(status, no_trunc.get());
  status->callback([&parser, no_trunc] {
    parser.chosen = [&invocation = parser.invocation, no_trunc] {
      return RunStatus(*no_trunc, invocation);
    };
  });
}

}  // namespace shoal::cli
