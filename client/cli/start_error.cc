#include "client/cli/start_error.h"

#include <utility>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "client/cli/exit_status.h"
#include "common/escape.h"
#include "shoal/outcome.h"

namespace shoal::cli {
namespace {

constexpr int kExitNoSuchProgram = 127;
constexpr absl::string_view kNotFoundInPath = "(not found in PATH ";  // of the agent
constexpr absl::string_view kShellCharacters = " \t\n|&;<>()$`*?";

// What to do about a program that is not there; `is_searched`: where it was looked for is told.
std::string HintForProgram(absl::string_view program, const std::vector<std::string>& shipped,
                           bool may_ship, bool is_searched) {
  const std::string shown = EscapeForMessage(program);
  if (absl::c_linear_search(shipped, program)) {
    return absl::StrCat(" The file that was sent along is called `./", shown, "` there.");
  }
  if (program.find_first_of(kShellCharacters) != absl::string_view::npos) {
    return absl::StrCat(" It is taken as one word; a shell takes it apart: `sh -c ",
                        QuoteForDisplay(program), "`.");
  }
  if (is_searched) return "";
  if (!absl::StrContains(program, "/")) return " Is it on that host, and in the PATH there?";
  return absl::StrCat(" Is it on that host?",
                      may_ship ? absl::StrCat(" `--ship ", shown, "` sends it along.") : "");
}

}  // namespace

StartError ExplainStartError(const v1::RequestError& error, absl::string_view program,
                             absl::string_view host, const std::vector<std::string>& shipped,
                             bool may_ship) {
  // A field by the name of its option.
  const std::string told_by_agent = absl::StrReplaceAll(
      error.message(),
      {{"; fork_wait would", "; --fork-wait would"}, {"fork_of: ", "--start-method fork: "}});
  absl::string_view message = told_by_agent;
  std::string shown = EscapeForMessage(program);
  const absl::Status status = StatusOfAnswer(error.code(), message);
  if (!error.has_start_failure()) {
    constexpr absl::string_view kHeldBy = " is held by process ";
    std::pair<absl::string_view, absl::string_view> halves =
        absl::StrSplit(message, absl::MaxSplits(kHeldBy, 1));
    if (error.code() == static_cast<int>(absl::StatusCode::kAlreadyExists) &&
        !halves.second.empty()) {
      absl::Status held(status.code(), absl::StrCat("the ", halves.first, " is held on ", host,
                                                    " by process ", halves.second));
      return {ToSentence(held), NotStartedStatusOf(status)};
    }
    // What is wrong with the request, or a name that is taken: that sentence stands alone.
    absl::string_view where = absl::StrContains(message, host) ? "" : host;
    absl::Status told(status.code(), absl::StrCat(where, where.empty() ? "" : ": ", message));
    return {ToSentence(told), NotStartedStatusOf(status)};
  }
  v1::Process process;
  process.set_state(v1::STATE_FAILED_TO_START);
  *process.mutable_start_failure() = error.start_failure();
  // The program stands in our sentence already.
  bool shortened = absl::ConsumePrefix(&message, absl::StrCat("exec ", shown, ": "));
  absl::Status told(status.code(), absl::StrCat("cannot start ", QuoteForDisplay(program), " on ",
                                                host, ": ", shortened ? "exec: " : "", message));
  // An interpreter that is missing stands in the message.
  int exit_status = ShellExitStatus(process);
  const bool is_searched = absl::StrContains(message, kNotFoundInPath);
  bool missing = absl::EndsWith(message, "No such file or directory") || is_searched;
  std::string hint;
  if (missing && exit_status == kExitNoSuchProgram) {
    hint = HintForProgram(program, shipped, may_ship, is_searched);
  } else if (missing && error.start_failure().stage() == "chdir") {
    hint = " Is that directory on that host? `--cwd DIR` names another.";
  }
  return {absl::StrCat(ToSentence(told), hint), exit_status};
}

}  // namespace shoal::cli
