#include "client/cli/command.h"

#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/escape.h"

namespace shoal::cli {

CLI::App* AddCommand(Parser& parser, const std::string& name, const std::string& description,
                     const std::string& example) {
  CLI::App* command = parser.app.add_subcommand(name, description);
  command
      ->add_option("-H,--hosts", parser.invocation.hosts,
                   "Hosts: node[01-16],gpu1:7420,unix:PATH, @group, or - for stdin "
                   "(default: $SHOAL_HOSTS, else this machine)")
      ->check(IsNotEmpty(kWantedHosts))
      ->type_name("HOSTS");
  command
      ->add_option("-o,--output", parser.invocation.format,
                   "table, or json: one object per line, with the field names of the protos")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str()
      ->type_name("FORMAT");
  AddQuiet(command, parser.invocation, "Say nothing on stderr but errors");
  command->footer("Examples:\n" + example);
  return command;
}

void AddQuiet(CLI::App* command, Invocation& invocation, const std::string& help) {
  if (CLI::Option* known = command->get_option_no_throw("--quiet"); known != nullptr) {
    known->description(help);
  } else {
    command->add_flag("-q,--quiet", invocation.quiet, help);
  }
}

void AddSelector(CLI::App* command, SelectorArguments* arguments) {
  command->add_option("selector", arguments->terms, "Which processes; see below")
      ->type_name("SELECTOR");
  command
      ->add_option("-l,--label", arguments->labels,
                   "Those with this label; several, with commas: all of them")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  command->footer(absl::StrCat(kSelectorRules, command->get_footer()));
}

absl::StatusOr<Selection> RequireSelection(const SelectorArguments& arguments, const char* verb) {
  absl::StatusOr<Selection> selection = Selection::Parse(arguments.terms, arguments.labels);
  if (selection.ok() && selection->empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("say which processes to ", verb,
                     ": a name, a glob ('*' for all), an id, HOST/NAME, or -l key=value"));
  }
  return selection;
}

CLI::Validator IsNotEmpty(const std::string& wanted) {
  return CLI::Validator(
      [wanted](std::string& text) {
        return text.empty() ? absl::StrCat("the value is empty; ", wanted) : std::string();
      },
      "");
}

CLI::Validator IsSpan(SpanBounds bounds) {
  return CLI::Validator(
      [bounds](std::string& text) {
        const absl::StatusOr<absl::Duration> span = ParseSpan(text, bounds);
        return span.ok() ? std::string() : std::string(span.status().message());
      },
      "");
}

CLI::Validator IsCount(int64_t least, int64_t most) {
  return CLI::Validator(
      [least, most](std::string& text) {
        int64_t count = 0;
        if (absl::SimpleAtoi(text, &count) && count >= least && count <= most) return std::string();
        return absl::StrCat("\"", EscapeForMessage(text), "\" is no number from ", least,
                            most == INT64_MAX ? " on" : absl::StrCat(" to ", most));
      },
      "");
}

}  // namespace shoal::cli
