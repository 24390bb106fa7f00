// `shoal hosts`: the hosts as a table, those that cannot be reached with the reason.
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "client/cli/command.h"
#include "client/cli/exit_status.h"
#include "client/cli/json.h"
#include "client/cli/standard_output.h"
#include "client/cli/table.h"
#include "client/cli/units.h"
#include "client/cli/wording.h"

namespace shoal::cli {
namespace {

// The reason without the name of the host, which stands in its own column.
std::string Reason(const absl::Status& status, const std::string& host) {
  absl::string_view message = status.message();
  if (!absl::ConsumePrefix(&message, absl::StrCat(host, ": "))) {
    absl::ConsumePrefix(&message, absl::StrCat("host \"", host, "\" "));
  }
  absl::ConsumePrefix(&message, "cannot be reached: ");
  return absl::StrCat("unreachable: ", message);
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

int RunHosts(Invocation& invocation) {
  if (invocation.NobodyIsHere()) {
    invocation.Note("no agent is running on this machine; `shoal agent start` starts one.");
    return kExitUnreachable;
  }
  absl::StatusOr<Fleet> fleet = invocation.ConnectExisting();
  if (!fleet.ok()) return invocation.Fail(fleet.status());
  auto answers = fleet->FanOut<v1::Host>(
      [](Host& host, Done<v1::Host> done) { host.GetFacts({}, std::move(done)); });
  Table table({"HOST", "SLOTS", "FREE", "LOAD", "MEMORY", "AGENT", "UPTIME"});
  int status = 0;
  for (const HostResult<v1::Host>& answer : answers) {
    if (answer.result.ok()) invocation.LearnName(*answer.host, answer.result->name());
    std::string name = invocation.NameOf(*answer.host);
    if (answer.result.ok()) {
      if (invocation.json()) Print(JsonLine(*answer.result));
      table.Add(Row(name, *answer.result, absl::Now()));
      continue;
    }
    status = kExitUnreachable;
    std::string reason = Reason(answer.result.status(), name);
    if (invocation.json()) {
      Print(absl::StrCat("{\"name\":", JsonQuote(name), ",\"error\":", JsonQuote(reason), "}\n"));
    }
    table.Add({name, "–", "–", "–", "–", reason});
  }
  invocation.TellOneAgentTwice(*fleet);
  if (!invocation.json()) Print(table.Render(invocation.colours()));
  return status;
}

}  // namespace

void AddHosts(Parser& parser) {
  CLI::App* command = AddCommand(
      parser, "hosts", "Show hosts: slots, load, memory, agent; exit 69 if one is unreachable",
      "  shoal -H node[1-3] hosts");
  command->callback([&parser] {
    parser.chosen = [&invocation = parser.invocation] { return RunHosts(invocation); };
  });
}

}  // namespace shoal::cli
