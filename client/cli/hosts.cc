// `shoal hosts`: the hosts as a table, those that cannot be reached with the reason.
#include <memory>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/exit_status.h"
#include "client/cli/json.h"
#include "client/cli/progress.h"
#include "client/cli/standard_output.h"
#include "client/cli/table.h"
#include "client/cli/table_options.h"
#include "client/cli/units.h"
#include "client/cli/wording.h"
#include "shoal/error.h"

namespace shoal::cli {
namespace {

// The kind of failure and its reason, without the name of the host, which stands in its own column.
std::string Reason(const absl::Status& status, const std::string& host) {
  absl::string_view message = status.message();
  if (!absl::ConsumePrefix(&message, absl::StrCat(host, ": "))) {
    absl::ConsumePrefix(&message, absl::StrCat("host \"", host, "\" "));
  }
  if (absl::ConsumePrefix(&message, "cannot be reached: ") || IsUnreachable(status)) {
    return absl::StrCat("unreachable: ", message);
  }
  absl::ConsumePrefix(&message, "refuses this: ");
  return absl::StrCat(absl::IsPermissionDenied(status) ? "refused: " : "error: ", message);
}

std::vector<std::string> Row(const std::string& name, const v1::Host& facts, absl::Time now) {
  int64_t used = facts.memory_total_bytes() - facts.memory_available_bytes();
  return {name,
          absl::StrCat(facts.slots()),
          absl::StrCat(std::max(0, facts.slots() - facts.live_processes())),
          absl::StrFormat("%.1f", facts.load_1m()),
          FormatPart(used, facts.memory_total_bytes()),
          facts.agent_version(),
          facts.has_boot_time() ? FormatAge(now - ToTime(true, facts.boot_time())) : "–"};
}

// One host, as it answered.
struct HostRow {
  std::string name;
  absl::StatusOr<v1::Host> facts;
};

const std::vector<std::string>& SortKeys() {
  static const auto* const kKeys =
      new std::vector<std::string>{"host", "slots", "free", "memory", "uptime", "load"};
  return *kKeys;
}

int Free(const v1::Host& facts) { return std::max(0, facts.slots() - facts.live_processes()); }

// What did not answer sorts before the rest.
SortValue SortValueOf(const HostRow& row, const std::string& key) {
  if (key == "host") return {0, row.name};
  if (!row.facts.ok()) return {-1, ""};
  if (key == "slots") return {row.facts->slots(), ""};
  if (key == "free") return {Free(*row.facts), ""};
  if (key == "memory") return {static_cast<double>(row.facts->memory_available_bytes()), ""};
  if (key == "load") return {row.facts->load_1m(), ""};
  return {-absl::ToDoubleSeconds(ToTime(true, row.facts->boot_time()) - absl::UnixEpoch()), ""};
}

void PrintTable(const std::vector<HostRow>& rows, const TableOptions& options,
                const TableLook& look) {
  std::vector<std::string> columns = {"HOST", "SLOTS", "FREE", "LOAD", "MEMORY", "AGENT", "UPTIME"};
  if (options.labels) columns.emplace_back("LABELS");
  Table table(columns);
  table.MayLeaveOut({"UPTIME", "LOAD"});
  table.KeepWhole("MEMORY");
  for (const HostRow& row : rows) {
    if (!row.facts.ok()) {
      table.Add({row.name, "–", "–", "–", "–", Reason(row.facts.status(), row.name)});
      continue;
    }
    std::vector<std::string> cells = Row(row.name, *row.facts, absl::Now());
    if (options.labels) cells.push_back(LabelsInTable(row.facts->labels()));
    table.Add(std::move(cells));
  }
  Print(table.Render(look));
}

void PrintJson(const std::vector<HostRow>& rows) {
  for (const HostRow& row : rows) {
    const absl::Status& status = row.facts.status();
    const absl::Status told(status.code(), Reason(status, row.name));
    Print(row.facts.ok() ? HostLine(row.name, *row.facts)
                         : ErrorLine({row.name, "", ""}, told, kExitUnreachable));
  }
}

int RunHosts(const TableOptions& options, Invocation& invocation) {
  if (invocation.NobodyIsHere()) {
    return invocation.Fail(absl::UnavailableError(
        "no agent is running on this machine; `shoal agent start` starts one"));
  }
  absl::StatusOr<Fleet> fleet = invocation.ConnectExisting();
  if (!fleet.ok()) return invocation.Fail(fleet.status());
  std::optional<Progress> progress(invocation.TellAsking(*fleet));
  auto answers = fleet->FanOut<v1::Host>(
      [](Host& host, Done<v1::Host> done) { host.GetFacts({}, std::move(done)); });
  progress.reset();
  std::vector<HostRow> rows;
  int status = 0;
  invocation.LearnNames(answers);
  for (HostResult<v1::Host>& answer : answers) {
    if (!answer.result.ok()) {
      const int code = ExitStatusOf(answer.result.status());
      if (status == 0 || code == kExitUnreachable) status = code;
    }
    rows.push_back({invocation.NameOf(*answer.host), std::move(answer.result)});
  }
  SortRows(options.sort, SortValueOf, &rows);
  invocation.TellOneAgentTwice(*fleet);
  if (invocation.json()) {
    PrintJson(rows);
  } else if (invocation.quiet) {
    for (const HostRow& row : rows) {
      if (row.facts.ok()) Print(absl::StrCat(row.name, "\n"));
    }
  } else {
    PrintTable(rows, options, invocation.look(options.no_trunc));
  }
  return status;
}

}  // namespace

void AddHosts(Parser& parser) {
  CLI::App* command = AddCommand(parser, "hosts",
                                 "Show hosts: slots, load, memory, agent, and for how long the "
                                 "machine is up; exit 69 if one is "
                                 "unreachable",
                                 "  shoal -H node[1-3] hosts");
  AddQuiet(command, parser.invocation, "Print names of hosts that answer, and no more");
  auto options = std::make_shared<TableOptions>();
  AddTableOptions(command, options.get(), SortKeys());
  command->callback([&parser, options] {
    parser.chosen = [&invocation = parser.invocation, options] {
      return RunHosts(*options, invocation);
    };
  });
}

}  // namespace shoal::cli
