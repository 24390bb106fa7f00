#include "client/cli/typed_words.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/escape.h"
#include "common/help_page.h"
#include "common/parse_error.h"
#include "common/signals.h"
#include "common/spelling.h"

namespace shoal::cli {
namespace {

bool IsOption(absl::string_view word) { return absl::StartsWith(word, "-") && word.size() > 1; }

// The command that was parsed last: "stop" of "shoal agent stop".
const CLI::App& Innermost(const CLI::App& app) {
  const CLI::App* inner = &app;
  while (!inner->get_subcommands().empty()) inner = inner->get_subcommands().front();
  return *inner;
}

std::vector<std::string> CommandsOf(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands(nullptr)) {
    if (!command->get_group().empty()) names.push_back(command->get_name());
  }
  return names;
}

// nullptr if `command` has none of that name.
const CLI::App* Subcommand(const CLI::App& command, absl::string_view name) {
  for (const CLI::App* sub : command.get_subcommands(nullptr)) {
    if (sub->get_name() == name) return sub;
  }
  return nullptr;
}

size_t CountArguments(const CLI::App& command) {
  const auto options = command.get_options();
  return static_cast<size_t>(
      std::count_if(options.begin(), options.end(),
                    [](const CLI::Option* option) { return option->get_positional(); }));
}

// "there is no option --x for run; did you mean "--y"?"
std::string TellUnknownWord(const std::string& what, const std::string& meant) {
  return absl::StrCat(what, meant.empty() ? "." : absl::StrCat("; ", meant));
}

}  // namespace

size_t FindCommand(const std::vector<std::string>& words) {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool takes_value = word == "-H" || word == "-o" || word == "--hosts" ||
                             word == "--output" ||
                             (absl::StartsWith(word, "--tls-") && !absl::StrContains(word, "="));
    if (takes_value) ++i;
    if (!takes_value && !absl::StartsWith(word, "-")) return i;
  }
  return words.size();
}

std::vector<std::string> AsMeant(std::vector<std::string> words) {
  const size_t at = FindCommand(words);
  if (at == words.size()) return words;
  const auto command = words.begin() + static_cast<ptrdiff_t>(at);
  if (*command == "help") {
    words.erase(command);
    // What has no page of its own is on that of shoal.
    if (at < words.size() && (words[at] == "help" || words[at] == "version")) {
      words.erase(words.begin() + static_cast<ptrdiff_t>(at));
    }
    // Behind the command: what follows may be a command of the user, which has a --help of its own.
    words.insert(words.begin() + static_cast<ptrdiff_t>(std::min(at + 1, words.size())), "--help");
  } else if (*command == "version") {
    *command = "--version";
  } else if (*command == "signal" && at + 1 < words.size()) {
    std::string& signal = words[at + 1];
    const bool is_short = IsOption(signal) && signal[1] != '-';
    if (is_short && ParseSignal(signal.substr(1)).ok()) signal.erase(0, 1);
  }
  return words;
}

std::vector<std::string> WithEmptyValues(const CLI::App& app, std::vector<std::string> words) {
  const CLI::App* command = &app;
  size_t arguments = 0;  // that the command has been given
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (IsOption(word)) {
      const size_t equals = absl::StartsWith(word, "--") ? word.find('=') : std::string::npos;
      const CLI::Option* option = command->get_option_no_throw(word.substr(0, equals));
      if (option == nullptr || !TakesValue(*option)) continue;
      if (equals == word.size() - 1) {
        words[i].pop_back();
        words.insert(words.begin() + static_cast<ptrdiff_t>(i) + 1, "");
      }
      // The next word is its value.
      if (equals == std::string::npos || words[i].size() == equals) ++i;
      continue;
    }
    const CLI::App* sub = Subcommand(*command, word);
    if (sub != nullptr) {
      command = sub;
    } else if (command->get_prefix_command() && arguments == CountArguments(*command)) {
      break;
    } else {
      ++arguments;
    }
  }
  return words;
}

std::string PathOf(const CLI::App& app) {
  std::string path = "shoal";
  for (const CLI::App* inner = &app; !inner->get_subcommands().empty();) {
    inner = inner->get_subcommands().front();
    absl::StrAppend(&path, " ", inner->get_name());
  }
  return path;
}

std::string TellUnknownOption(const CLI::App& command, absl::string_view word) {
  const absl::string_view name = word.substr(0, word.find('='));
  // As docker and kubectl have it: input is passed on without being asked for.
  const bool is_typed_by_habit =
      (name == "-it" || name == "-ti") && command.get_option_no_throw("-t") != nullptr;
  if (is_typed_by_habit) {
    return TellUnknownWord(absl::StrCat("there is no option ", name, " for ", command.get_name()),
                           "did you mean \"-t\"?");
  }
  return TellUnknownWord(
      absl::StrCat("there is no option ", EscapeForMessage(name), " for ", command.get_name()),
      DidYouMeanOption(command, name));
}

std::string TellUnknown(const CLI::App& app) {
  const CLI::App& command = Innermost(app);
  const std::vector<std::string> words = app.remaining(/*recurse=*/true);
  const auto option = std::find_if(words.begin(), words.end(), IsOption);
  const auto other = std::find_if_not(words.begin(), words.end(), IsOption);
  if (other != words.end() && !CommandsOf(command).empty()) {
    return TellUnknownWord(absl::StrCat("there is no command \"", EscapeForMessage(*other), "\""),
                           DidYouMean(*other, CommandsOf(command)));
  }
  if (option != words.end()) {
    const std::string name = option->substr(0, option->find('='));
    const std::vector<std::string> in_front = app.remaining(/*recurse=*/false);
    const bool is_in_front = std::find(in_front.begin(), in_front.end(), *option) != in_front.end();
    const bool is_of_all =
        absl::StartsWith(name, "--tls-") && app.get_option_no_throw(name) != nullptr;
    if (is_of_all && !is_in_front) {
      return absl::StrCat(EscapeForMessage(name), " stands in front of the command: `shoal ",
                          EscapeForMessage(name), " … ", command.get_name(), "`.");
    }
    return TellUnknownOption(is_in_front ? app : command, *option);
  }
  if (other == words.end()) {
    const std::vector<std::string> commands = CommandsOf(command);
    if (commands.empty()) return "";
    return absl::StrCat(command.get_name(), " wants a command: ", absl::StrJoin(commands, ", "),
                        ".");
  }
  return absl::StrCat("\"", EscapeForMessage(*other), "\" means nothing to ", command.get_name(),
                      ".");
}

}  // namespace shoal::cli
