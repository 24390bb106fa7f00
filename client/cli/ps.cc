// `shoal ps`: the processes of each host as a table.
#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/command.h"
#include "client/cli/exit_status.h"
#include "client/cli/json.h"
#include "client/cli/lookup.h"
#include "client/cli/standard_output.h"
#include "client/cli/table.h"
#include "client/cli/table_options.h"
#include "client/cli/units.h"
#include "client/cli/wording.h"
#include "common/escape.h"
#include "common/ids.h"
#include "shoal/outcome.h"

namespace shoal::cli {
namespace {

constexpr size_t kCommandBytes = 60;  // where there is no terminal that says how wide it is
constexpr size_t kMostCommandBytes = size_t{1} << 20;

struct PsArguments {
  SelectorArguments selector;
  bool all = false;
  TableOptions table;
};

// By what --sort knows, in order of the columns.
const std::vector<std::string>& SortKeys() {
  static const auto* const kKeys = new std::vector<std::string>{
      "name", "id", "host", "pid", "state", "since", "command", "cpu", "rss"};
  return *kKeys;
}

// How long it has been in its state, as far as the agent says.
absl::Duration Since(const v1::Process& process, absl::Time now) {
  absl::Time begin = ToTime(true, process.create_time());
  if (process.has_start_time()) begin = ToTime(true, process.start_time());
  if (HasEnded(process) && process.has_exit_time()) begin = ToTime(true, process.exit_time());
  return now - begin;
}

// The share of one core, negative if it is not known, that it had since it started.
double CpuShare(const v1::Process& process, absl::Time now) {
  absl::Duration age = now - ToTime(process.has_start_time(), process.start_time());
  if (!process.has_live_usage() || age <= absl::ZeroDuration()) return -1;
  return absl::FDivDuration(ToSpan(process.live_usage().cpu_time()), age) * 100;
}

std::string CpuInTable(const v1::Process& process, absl::Time now) {
  const double share = CpuShare(process, now);
  return share < 0 ? "–" : absl::StrFormat("%.*f%%", share < 10 ? 1 : 0, share);
}

SortValue SortValueOf(const v1::Process& process, const std::string& key, absl::Time now) {
  if (key == "id") return {0, process.id()};
  if (key == "host") return {0, process.host()};
  if (key == "pid") return {process.pid(), ""};
  if (key == "state") return {0, StateWord(process)};
  if (key == "since") return {absl::ToDoubleSeconds(Since(process, now)), ""};
  if (key == "command") return {0, CommandLine(process, kMostCommandBytes)};
  if (key == "cpu") return {CpuShare(process, now), ""};
  if (key == "rss") return {static_cast<double>(process.live_usage().rss_bytes()), ""};
  return {process.has_rank() ? process.rank() : 0, process.name()};
}

bool IsForked(const Found& entry) { return !entry.process.forked_from().empty(); }

// The parent by name if it is listed, too, else by id.
std::string From(const v1::Process& process, const std::vector<Found>& found, size_t id_length) {
  if (process.forked_from().empty()) return "–";
  for (const Found& entry : found) {
    if (entry.process.id() == process.forked_from()) return entry.process.name();
  }
  return process.forked_from().substr(0, id_length);
}

// What is left of a tree whose main process has ended: under the same name, a row for each.
void AddMembers(const v1::LiveUsage& usage, const std::vector<std::string>& row, Table* table) {
  const auto add = [&](const std::string& pid, const std::string& command) {
    std::vector<std::string> member(row.size(), "–");
    std::copy(row.begin(), row.begin() + 3, member.begin());  // NAME, ID, HOST
    member[3] = pid;
    member[4] = "left";
    member.back() = command;
    table->Add(std::move(member));
  };
  for (const v1::Survivor& member : usage.members()) {
    add(absl::StrCat(member.pid()), EscapeForMessage(member.command()));
  }
  const int more = usage.descendants() - usage.members_size();
  if (more > 0) add("…", absl::StrCat("and ", more, " more"));
}

void PrintTable(const std::vector<Found>& found, const PsArguments& arguments, TableLook look) {
  const bool with_parents = std::any_of(found.begin(), found.end(), IsForked);
  std::vector<std::string> columns = {"NAME",  "ID",  "HOST", "PID",    "STATE",
                                      "SINCE", "CPU", "RSS",  "COMMAND"};
  if (with_parents) columns.insert(columns.end() - 1, "FROM");
  if (arguments.table.labels) columns.insert(columns.end() - 1, "LABELS");
  Table table(columns);
  table.MayLeaveOut({"RSS", "CPU", "SINCE", "PID"});
  absl::Time now = absl::Now();
  const size_t id_length = arguments.table.no_trunc ? kIdLength : ShownIdLength(found);
  const bool is_cut_here = look.width == 0 && !arguments.table.no_trunc;
  for (const Found& entry : found) {
    const v1::Process& process = entry.process;
    const bool lives = !HasEnded(process);
    const bool left = !lives && process.live_usage().members_size() > 0;
    std::vector<std::string> row = {
        process.name(),
        process.id().substr(0, id_length),
        process.host(),
        process.pid() == 0 || left ? "–" : absl::StrCat(process.pid()),
        StateWord(process),
        FormatAge(Since(process, now)),
        lives ? CpuInTable(process, now) : "–",
        lives && process.has_live_usage() ? FormatBytes(process.live_usage().rss_bytes()) : "–",
        CommandLine(process, is_cut_here ? kCommandBytes : kMostCommandBytes)};
    if (with_parents) row.insert(row.end() - 1, From(process, found, id_length));
    if (arguments.table.labels) {
      row.insert(row.end() - 1, LabelsInTable(process.spec().labels()));
    }
    table.Add(row);
    if (left) AddMembers(process.live_usage(), row, &table);
  }
  Print(table.Render(look));
}

bool IsShown(const v1::Process& process, const PsArguments& arguments, bool selected) {
  // An ended process whose tree lives on is not over.
  if (arguments.all || selected || !HasEnded(process)) return true;
  return process.state() != v1::STATE_FAILED_TO_START && !process.tree_empty();
}

int RunPs(const PsArguments& arguments, Invocation& invocation) {
  absl::StatusOr<Selection> selection =
      Selection::Parse(arguments.selector.terms, arguments.selector.labels);
  if (!selection.ok()) return invocation.Fail(selection.status());
  absl::StatusOr<Fleet> fleet = invocation.ConnectExisting(*selection);
  if (!fleet.ok()) return invocation.Fail(fleet.status());
  absl::StatusOr<Lookup> lookup =
      FindProcesses(*fleet, *selection, invocation, {.live_usage = true});
  if (!lookup.ok()) return invocation.Fail(lookup.status());
  std::vector<Found> shown;
  for (Found& entry : lookup->found) {
    if (IsShown(entry.process, arguments, !selection->empty())) shown.push_back(std::move(entry));
  }
  SortRows(
      arguments.table.sort,
      [now = absl::Now()](const Found& entry, const std::string& key) {
        return SortValueOf(entry.process, key, now);
      },
      &shown);
  if (invocation.json()) {
    for (const Found& entry : shown) Print(ProcessLine(entry.process));
  } else if (invocation.quiet) {
    for (const Found& entry : shown) Print(absl::StrCat(entry.process.id(), "\n"));
  } else if (!shown.empty() || lookup->failures.empty()) {
    PrintTable(shown, arguments, invocation.look(arguments.table.no_trunc));
  }
  int status = 0;
  for (const absl::Status& failure : lookup->failures) status = invocation.Fail(failure);
  return status;
}

}  // namespace

void AddPs(Parser& parser) {
  auto arguments = std::make_shared<PsArguments>();
  CLI::App* command =
      AddCommand(parser, "ps", "List processes: name, PID, host, state",
                 "  shoal -H node[1-3] ps\n  shoal ps -a 'web-*'\n  shoal ps --sort=-rss");
  command->add_flag("-a,--all", arguments->all,
                    "Ended ones, too, which a SELECTOR lists in any case");
  AddQuiet(command, parser.invocation, "Print ids alone, and nothing on stderr but errors");
  AddTableOptions(command, &arguments->table, SortKeys());
  AddSelector(command, &arguments->selector);
  command->callback([&parser, arguments] {
    parser.chosen = [&invocation = parser.invocation, arguments] {
      return RunPs(*arguments, invocation);
    };
  });
}

}  // namespace shoal::cli
