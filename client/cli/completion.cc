#include "client/cli/completion.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "common/help_page.h"

namespace shoal::cli {
namespace {

using Kind = Completion::Kind;

std::string LongName(const CLI::Option& option) {
  return option.get_lnames().empty() ? "" : option.get_lnames()[0];
}

// The option that is called `name`, with its dashes; nullptr if there is none.
const CLI::Option* FindOption(const CLI::App& command, const std::string& name) {
  return command.get_option_no_throw(name);
}

std::vector<Candidate> OptionsOf(const CLI::App& command, const std::string& prefix) {
  std::vector<Candidate> found;
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_group().empty()) continue;
    for (const std::string& name : option->get_lnames()) {
      found.push_back({absl::StrCat("--", name), option->get_description()});
    }
    // One that has a long name, too, is offered by that.
    if (!option->get_lnames().empty()) continue;
    for (const std::string& name : option->get_snames()) {
      found.push_back({absl::StrCat("-", name), option->get_description()});
    }
  }
  return WithPrefix(std::move(found), prefix);
}

std::vector<Candidate> CommandsOf(const CLI::App& command, const std::string& prefix) {
  std::vector<Candidate> found;
  for (const CLI::App* sub : ListedCommands(command)) {
    found.push_back({sub->get_name(), sub->get_description()});
  }
  return WithPrefix(std::move(found), prefix);
}

// Reads the words one after another; `completion` says what is known of the last one.
class Reader {
 public:
  Reader(const CLI::App& shoal, const std::vector<std::string>& words) : words_(words) {
    completion_.command = &shoal;
  }

  Completion Read() {
    while (at_ + 1 < words_.size() && !is_in_command_) Step();
    if (is_help_) {
      completion_.prefix = words_.back();
      completion_.candidates = CommandsOf(command(), words_.back());
      // `help` and `version` have none.
      std::erase_if(completion_.candidates, [this](const Candidate& candidate) {
        return Subcommand(candidate.word)->get_options().empty();
      });
    } else if (is_in_command_) {
      completion_.kind = Kind::kCommand;
    } else {
      ReadLast(words_.empty() ? "" : words_.back());
    }
    return std::move(completion_);
  }

 private:
  const CLI::App& command() const { return *completion_.command; }

  void BeginCommandAt(size_t word) {
    is_in_command_ = true;
    completion_.command_at = word;
  }

  // Takes the next word, and that behind it if it is the value of an option. Not the last one.
  void Step() {
    const std::string& word = words_[at_++];
    if (word == "--" && !is_behind_dashes_) {
      if (command().get_prefix_command()) return BeginCommandAt(at_);
      is_behind_dashes_ = true;
    } else if (!is_behind_dashes_ && absl::StartsWith(word, "-") && word.size() > 1) {
      TakeOption(word);
    } else if (IsHelp(word)) {
      is_help_ = true;
    } else if (const CLI::App* sub = Subcommand(word); sub != nullptr) {
      completion_.command = sub;
    } else if (command().get_prefix_command() && NextArgument() == nullptr) {
      BeginCommandAt(at_ - 1);
    } else {
      ++arguments_;
    }
  }

  void TakeOption(const std::string& word) {
    const size_t equals = absl::StartsWith(word, "--") ? word.find('=') : std::string::npos;
    const std::string name =
        absl::StartsWith(word, "--") ? word.substr(0, equals) : word.substr(0, 2);
    const CLI::Option* option = FindOption(command(), name);
    if (option == nullptr || !TakesValue(*option)) return;
    std::string value;
    if (equals != std::string::npos) {
      value = word.substr(equals + 1);
    } else if (word.size() > name.size()) {
      value = word.substr(name.size());  // -n4
    } else if (at_ + 1 < words_.size()) {
      value = words_[at_++];
    } else {
      awaits_value_ = option;
      return;
    }
    completion_.values[LongName(*option)] = value;
  }

  const CLI::App* Subcommand(const std::string& word) const {
    for (const CLI::App* sub : command().get_subcommands({})) {
      if (sub->get_name() == word) return sub;
    }
    return nullptr;
  }

  // `shoal help`, which has another command behind it.
  bool IsHelp(absl::string_view word) const {
    return word == "help" && !is_help_ && command().get_parent() == nullptr;
  }

  // The argument without a name that comes next; nullptr if all have been given.
  const CLI::Option* NextArgument() const {
    size_t number = 0;
    for (const CLI::Option* option : command().get_options()) {
      if (!option->get_positional()) continue;
      const bool takes_rest = option->get_expected_max() >= CLI::detail::expected_max_vector_size;
      if (number++ == arguments_ || takes_rest) return option;
    }
    return nullptr;
  }

  void ReadLast(const std::string& word) {
    completion_.prefix = word;
    const bool may_be_option = !is_behind_dashes_ && absl::StartsWith(word, "-");
    const size_t equals = word.find('=');
    if (awaits_value_ != nullptr) {
      ReadValue(*awaits_value_);
    } else if (may_be_option && absl::StartsWith(word, "--") && equals != std::string::npos) {
      const CLI::Option* option = FindOption(command(), word.substr(0, equals));
      completion_.kept = word.substr(0, equals + 1);
      completion_.prefix = word.substr(equals + 1);
      if (option != nullptr && TakesValue(*option)) ReadValue(*option);
    } else if (may_be_option) {
      completion_.candidates = OptionsOf(command(), word);
    } else if (arguments_ == 0 && !command().get_subcommands({}).empty()) {
      completion_.candidates = CommandsOf(command(), word);
    } else if (const CLI::Option* argument = NextArgument(); argument != nullptr) {
      ReadValue(*argument);
    } else if (command().get_prefix_command()) {
      completion_.kind = Kind::kCommand;
      completion_.command_at = at_;
    }
  }

  // What `option` takes, as its placeholder says.
  void ReadValue(const CLI::Option& option) {
    const std::string value = Placeholder(option);
    if (value == "HOSTS") {
      completion_.kind = Kind::kHosts;
      MoveListToKept();
    } else if (value == "SELECTOR" || value == "PROCESS") {
      completion_.kind = Kind::kProcesses;
    } else if (value == "SIG") {
      completion_.kind = Kind::kSignals;
    } else if (value == "FILE") {
      completion_.kind = Kind::kFiles;
    } else if (value == "DIR") {
      completion_.kind = Kind::kDirectories;
    } else if (absl::StrContains(value, '|')) {
      MoveListToKept();
      for (absl::string_view choice : absl::StrSplit(value, '|')) {
        // "RANK" stands for something.
        const bool is_word = std::none_of(choice.begin(), choice.end(), absl::ascii_isupper);
        if (is_word) completion_.candidates.push_back({std::string(choice), ""});
      }
      completion_.candidates = WithPrefix(std::move(completion_.candidates), completion_.prefix);
    }
  }

  // Of a list, such as that of hosts, the last one is gone on with.
  void MoveListToKept() {
    const size_t comma = completion_.prefix.rfind(',');
    if (comma == std::string::npos) return;
    absl::StrAppend(&completion_.kept, completion_.prefix.substr(0, comma + 1));
    completion_.prefix.erase(0, comma + 1);
  }

  const std::vector<std::string>& words_;
  Completion completion_;
  size_t at_ = 0;
  size_t arguments_ = 0;  // that have been given to the command
  bool is_behind_dashes_ = false;
  bool is_in_command_ = false;
  bool is_help_ = false;
  const CLI::Option* awaits_value_ = nullptr;
};

}  // namespace

Completion CompletionOf(const CLI::App& shoal, const std::vector<std::string>& words) {
  return Reader(shoal, words).Read();
}

std::vector<Candidate> WithPrefix(std::vector<Candidate> candidates, const std::string& prefix) {
  candidates.erase(std::remove_if(candidates.begin(), candidates.end(),
                                  [&](const Candidate& candidate) {
                                    return !absl::StartsWith(candidate.word, prefix);
                                  }),
                   candidates.end());
  return candidates;
}

}  // namespace shoal::cli
