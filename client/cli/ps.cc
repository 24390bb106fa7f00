// `shoal ps`: the processes of each host as a table.
#include <sys/ioctl.h>
#include <unistd.h>

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
#include "client/cli/units.h"
#include "client/cli/wording.h"
#include "common/escape.h"
#include "shoal/outcome.h"

namespace shoal::cli {
namespace {

constexpr size_t kCommandBytes = 60;

struct PsArguments {
  SelectorArguments selector;
  bool all = false;
};

// Since when it is in its state, as far as the agent says.
std::string Since(const v1::Process& process, absl::Time now) {
  absl::Time begin = ToTime(true, process.create_time());
  if (process.has_start_time()) begin = ToTime(true, process.start_time());
  if (HasEnded(process) && process.has_exit_time()) begin = ToTime(true, process.exit_time());
  return FormatAge(now - begin);
}

// The share of one core that it had since it started.
std::string CpuShare(const v1::Process& process, absl::Time now) {
  absl::Duration age = now - ToTime(process.has_start_time(), process.start_time());
  if (!process.has_live_usage() || age <= absl::ZeroDuration()) return "–";
  double share = absl::FDivDuration(ToSpan(process.live_usage().cpu_time()), age) * 100;
  return absl::StrFormat("%.*f%%", share < 10 ? 1 : 0, share);
}

// Room for the last column on a terminal.
size_t CommandWidth() {
  winsize size = {};
  if (isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) {
    return kCommandBytes;
  }
  return std::max<size_t>(20, size.ws_col > 70 ? size.ws_col - 70u : 0u);
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

void PrintTable(const std::vector<Found>& found, bool colours) {
  const bool with_parents = std::any_of(found.begin(), found.end(), IsForked);
  std::vector<std::string> columns = {"NAME",  "ID",  "HOST", "PID",    "STATE",
                                      "SINCE", "CPU", "RSS",  "COMMAND"};
  if (with_parents) columns.insert(columns.end() - 1, "FROM");
  Table table(columns);
  absl::Time now = absl::Now();
  size_t id_length = ShownIdLength(found);
  size_t command_width = CommandWidth();
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
        Since(process, now),
        lives ? CpuShare(process, now) : "–",
        lives && process.has_live_usage() ? FormatBytes(process.live_usage().rss_bytes()) : "–",
        CommandLine(process, command_width)};
    if (with_parents) row.insert(row.end() - 1, From(process, found, id_length));
    table.Add(row);
    if (left) AddMembers(process.live_usage(), row, &table);
  }
  Print(table.Render(colours));
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
  if (invocation.json()) {
    for (const Found& entry : shown) Print(JsonLine(entry.process));
  } else if (!shown.empty() || lookup->failures.empty()) {
    PrintTable(shown, invocation.colours());
  }
  int status = 0;
  for (const absl::Status& failure : lookup->failures) status = invocation.Fail(failure);
  return status;
}

}  // namespace

void AddPs(Parser& parser) {
  auto arguments = std::make_shared<PsArguments>();
  CLI::App* command = AddCommand(parser, "ps", "List processes: name, PID, host, state",
                                 "  shoal -H node[1-3] ps\n  shoal ps -a 'web-*'");
  command->add_flag("-a,--all", arguments->all, "Ended ones, too");
  AddSelector(command, &arguments->selector);
  command->callback([&parser, arguments] {
    parser.chosen = [&invocation = parser.invocation, arguments] {
      return RunPs(*arguments, invocation);
    };
  });
}

}  // namespace shoal::cli
