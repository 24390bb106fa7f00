#include "common/help_page.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/columns.h"

namespace shoal {
namespace {

constexpr size_t kUsualWidth = 80;
constexpr size_t kMostWidth = 100;
constexpr size_t kLeastWidth = 40;
constexpr size_t kTextColumn = 24;
constexpr size_t kNarrow = 60;
constexpr size_t kNarrowTextColumn = 6;
constexpr char kEllipsis[] = "…";

bool TakesMany(const CLI::Option& option) {
  return option.get_expected_max() >= CLI::detail::expected_max_vector_size;
}

std::string Argument(const CLI::Option& option) {
  return absl::StrCat(Placeholder(option), TakesMany(option) ? kEllipsis : "");
}

}  // namespace

size_t HelpWidth() {
  for (int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    winsize size = {};
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
      return std::clamp<size_t>(size.ws_col, kLeastWidth, kMostWidth);
    }
  }
  return kUsualWidth;
}

bool TakesValue(const CLI::Option& option) { return option.get_items_expected_max() != 0; }

std::string Placeholder(const CLI::Option& option) {
  if (!TakesValue(option)) return "";
  std::string name = option.get_type_name();
  if (const size_t choices = name.find(":{"); choices != std::string::npos) {
    absl::string_view words = absl::string_view(name).substr(choices + 2);
    return absl::StrReplaceAll(absl::StripSuffix(words, "}"), {{",", "|"}});
  }
  // What checks of numbers and sizes add to the name.
  for (const char* check : {":NONNEGATIVE", ":POSITIVE", ":INT in ", ":UINT in ", ":SIZE ["}) {
    if (const size_t at = name.find(check); at != std::string::npos) name.resize(at);
  }
  return name;
}

std::string OptionText(const CLI::Option& option) {
  std::string text = option.get_description();
  if (TakesValue(option) && !option.get_default_str().empty()) {
    absl::StrAppend(&text, " (default: ", option.get_default_str(), ")");
  }
  return text;
}

std::string UsageWords(const CLI::App& command) {
  std::string words = "[OPTIONS]";
  for (const CLI::Option* option : command.get_options()) {
    if (!option->get_positional()) continue;
    const std::string argument = Argument(*option);
    absl::StrAppend(&words, " ",
                    option->get_required() ? argument : absl::StrCat("[", argument, "]"));
  }
  if (command.get_prefix_command()) absl::StrAppend(&words, " -- CMD", kEllipsis);
  if (!ListedCommands(command).empty()) {
    absl::StrAppend(&words, " ",
                    command.get_require_subcommand_min() == 0 ? "[COMMAND]" : "COMMAND");
  }
  return words;
}

std::vector<const CLI::App*> ListedCommands(const CLI::App& command) {
  return command.get_subcommands([](const CLI::App* sub) { return !sub->get_group().empty(); });
}

std::vector<HelpSection> FooterSections(const CLI::App& command) {
  std::vector<HelpSection> sections;
  for (absl::string_view line : absl::StrSplit(command.get_footer(), '\n')) {
    if (absl::StartsWith(line, " ") && !sections.empty()) {
      sections.back().lines.emplace_back(line);
      continue;
    }
    const size_t colon = line.find(':');
    if (colon == absl::string_view::npos) continue;
    sections.push_back({std::string(line.substr(0, colon)),
                        std::string(absl::StripLeadingAsciiWhitespace(line.substr(colon + 1))),
                        {}});
  }
  return sections;
}

HelpFormatter::HelpFormatter(size_t width) : width_(width) { label("Positionals", "Arguments"); }

std::string HelpFormatter::make_help(const CLI::App* command, std::string name,
                                     CLI::AppFormatMode mode) const {
  // Behind a group of options that is not shown the base class leaves two lines empty.
  return absl::StrReplaceAll(CLI::Formatter::make_help(command, std::move(name), mode),
                             {{"\n\n\n", "\n\n"}});
}

std::string HelpFormatter::make_description(const CLI::App* command) const {
  return absl::StrCat(Wrap(command->get_description(), width_, 0), "\n");
}

std::string HelpFormatter::make_usage(const CLI::App* command, std::string name) const {
  return absl::StrCat(Wrap(absl::StrCat("Usage: ", name, " ", UsageWords(*command)), width_, 4),
                      "\n");
}

std::string HelpFormatter::make_positionals(const CLI::App* command) const {
  std::vector<const CLI::Option*> arguments =
      command->get_options([](const CLI::Option* option) { return option->get_positional(); });
  return arguments.empty() ? "" : make_group(get_label("Positionals"), true, arguments);
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool is_positional) const {
  if (is_positional) return Row(Argument(*option), OptionText(*option));
  std::string left = absl::StrReplaceAll(option->get_name(false, true), {{",", ", "}});
  if (const std::string value = Placeholder(*option); !value.empty()) {
    absl::StrAppend(&left, " ", value);
  }
  return Row(left, OptionText(*option));
}

std::string HelpFormatter::make_subcommands(const CLI::App* command,
                                            CLI::AppFormatMode /*mode*/) const {
  const std::vector<const CLI::App*> commands = ListedCommands(*command);
  std::string rows = commands.empty() ? "" : "\nCommands:\n";
  for (const CLI::App* sub : commands) rows += Row(sub->get_name(), sub->get_description());
  return rows;
}

std::string HelpFormatter::make_footer(const CLI::App* command) const {
  std::vector<std::string> parts;
  for (const HelpSection& section : FooterSections(*command)) {
    std::string part = Wrap(absl::StrCat(section.title, ": ", section.text), width_, 2);
    for (const std::string& line : section.lines) absl::StrAppend(&part, "\n", line);
    parts.push_back(part);
  }
  std::string footer;
  for (const std::string& part : parts) {
    absl::StrAppend(&footer, footer.empty() ? "" : "\n", part, "\n");
  }
  return footer;
}

std::string HelpFormatter::Row(const std::string& left, const std::string& right) const {
  // On a narrow terminal each text begins on a line of its own.
  const bool is_narrow = width_ < kNarrow;
  const size_t column = is_narrow ? kNarrowTextColumn : kTextColumn;
  const std::string indent(column, ' ');
  std::string row = absl::StrCat("  ", left);
  if (!is_narrow && DisplayWidth(row) < column) {
    row.append(column - DisplayWidth(row), ' ');
  } else {
    absl::StrAppend(&row, "\n", indent);
  }
  const std::string text = Wrap(right, width_ - column, 0);
  return absl::StrCat(row, absl::StrReplaceAll(text, {{"\n", absl::StrCat("\n", indent)}}), "\n");
}

}  // namespace shoal
