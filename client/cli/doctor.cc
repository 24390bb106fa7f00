// `shoal doctor`: which of the promises hold on a host, and how to mend what does not.
#include <optional>

#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/exit_status.h"
#include "client/cli/json.h"
#include "client/cli/progress.h"
#include "client/cli/promises.h"
#include "client/cli/standard_output.h"
#include "client/cli/table.h"
#include "client/cli/table_options.h"
#include "common/escape.h"

namespace shoal::cli {
namespace {

absl::string_view Word(v1::Check::Result result) {
  switch (result) {
    case v1::Check::RESULT_OK:
      return "ok";
    case v1::Check::RESULT_DEGRADED:
      return "degraded";
    case v1::Check::RESULT_FAILED:
      return "FAILED";
    default:
      return "unknown";
  }
}

// "yes", or how far a promise holds.
absl::string_view HoldsWord(v1::Check::Result result) {
  if (result == v1::Check::RESULT_OK) return "yes";
  return result == v1::Check::RESULT_FAILED ? "NO" : Word(result);
}

// A table of the promises, one of the checks, then how to mend those that are not well.
void Diagnose(const std::string& name, const v1::Host& facts, const TableLook& look) {
  Table promises({"HOST", "PROMISE", "HOLDS", "BECAUSE OF"});
  for (const Promise& promise : PromisesOf(facts)) {
    promises.Add(
        {name, std::string(promise.name), std::string(HoldsWord(promise.result)), promise.because});
  }
  Print(promises.Render(look));
  Table table({"HOST", "CHECK", "RESULT", "DETAIL"});
  std::string remedies;
  for (const v1::Check& check : facts.checks()) {
    table.Add({name, check.name(), std::string(Word(check.result())),
               EscapeForMessage(check.detail(), 512)});
    if (check.remedy().empty()) continue;
    absl::StrAppend(&remedies, "  ", check.name(), ": ", EscapeForMessage(check.remedy(), 1024),
                    "\n");
  }
  Print(table.Render(look));
  if (!remedies.empty()) Print(absl::StrCat("To mend it on ", name, ":\n", remedies));
}

int RunDoctor(bool no_trunc, Invocation& invocation) {
  if (invocation.NobodyIsHere()) {
    return invocation.Fail(absl::UnavailableError(
        "no agent is running on this machine; `shoal agent start` starts one"));
  }
  absl::StatusOr<Fleet> fleet = invocation.ConnectExisting();
  if (!fleet.ok()) return invocation.Fail(fleet.status());
  std::optional<Progress> progress(invocation.TellAsking(*fleet));
  auto answers = fleet->FanOut<v1::Host>(
      [](Host& host, Done<v1::Host> done) { host.Check({}, std::move(done)); });
  progress.reset();
  invocation.LearnNames(answers);
  int status = 0;
  for (const HostResult<v1::Host>& answer : answers) {
    if (!answer.result.ok()) {
      status = invocation.Fail(answer.result.status(), {invocation.NameOf(*answer.host), "", ""});
      continue;
    }
    std::string name = invocation.NameOf(*answer.host);
    if (invocation.json()) {
      for (const Promise& promise : PromisesOf(*answer.result)) Print(PromiseLine(name, promise));
      for (const v1::Check& check : answer.result->checks()) Print(CheckLine(name, check));
    } else {
      Diagnose(name, *answer.result, invocation.look(no_trunc));
    }
    if (!IsWell(*answer.result) && status == 0) status = kExitFailure;
  }
  return status;
}

}  // namespace

void AddDoctor(Parser& parser) {
  CLI::App* command = AddCommand(parser, "doctor",
                                 "Say which of the four promises hold on a host, and how to mend "
                                 "what does not; exit 1 if a check "
                                 "is not ok",
                                 "  shoal -H node1 doctor");
  auto no_trunc = std::make_shared<bool>(false);
  AddNoTrunc(command, no_trunc.get());
  command->callback([&parser, no_trunc] {
    parser.chosen = [&invocation = parser.invocation, no_trunc] {
      return RunDoctor(*no_trunc, invocation);
    };
  });
}

}  // namespace shoal::cli
