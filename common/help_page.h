// What `--help` says of a command, laid out for a terminal; man_page.h makes a page of the same texts.
//
// The footer of a command consists of sections: a line "Title: text", below it lines that begin with a space and
// are kept as they are.
//
// Ownership:     values; the formatter belongs to the commands that use it.
// Thread-safety: thread-safe, as the CLI::App is that they read.
// Blocking:      never blocks.
#ifndef SHOAL_COMMON_HELP_PAGE_H_
#define SHOAL_COMMON_HELP_PAGE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/string_view.h"

namespace shoal {

// The columns of the terminal that stdout or stderr goes to, at most 100, beyond which lines are hard to read; 80
// without one.
size_t HelpWidth();

// Whether a value follows it; false of a flag, whose type has a size, too, since it may be given as --flag=true.
bool TakesValue(const CLI::Option& option);
// What stands for the value: "SPAN", "table|json"; empty for a flag.
std::string Placeholder(const CLI::Option& option);
// Its text, with the default behind it.
std::string OptionText(const CLI::Option& option);
// What follows the name of the command in a usage line: "[OPTIONS] PROCESS -- CMD…".
std::string UsageWords(const CLI::App& command);

// The subcommands of `command` that help and completion tell of.
std::vector<const CLI::App*> ListedCommands(const CLI::App& command);

struct HelpSection {
  std::string title;
  std::string text;                // to be filled into lines
  std::vector<std::string> lines;  // as they are
};
std::vector<HelpSection> FooterSections(const CLI::App& command);

class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(size_t width);

  std::string make_help(const CLI::App* command, std::string name,
                        CLI::AppFormatMode mode) const override;
  std::string make_description(const CLI::App* command) const override;
  std::string make_usage(const CLI::App* command, std::string name) const override;
  std::string make_positionals(const CLI::App* command) const override;
  std::string make_option(const CLI::Option* option, bool is_positional) const override;
  std::string make_subcommands(const CLI::App* command, CLI::AppFormatMode mode) const override;
  std::string make_footer(const CLI::App* command) const override;

 private:
  std::string Row(const std::string& left, const std::string& right) const;

  const size_t width_;
};

}  // namespace shoal

#endif  // SHOAL_COMMON_HELP_PAGE_H_
