// `shoal pages DIR DATE`, for the build: writes a manual page for `shoal` and for each of its commands.
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cli/command.h"
#include "client/cli/exit_status.h"
#include "common/help_page.h"
#include "common/man_page.h"
#include "common/status.h"
#include "shoal/version.h"

namespace shoal::cli {
namespace {

struct PagesArguments {
  std::string directory;
  std::string date;
};

absl::Status WritePages(const CLI::App& shoal, const PagesArguments& arguments) {
  const std::string version = absl::StrCat("shoal ", std::string(Version()));
  ManPageHead head = {"shoal", "shoal", 1, arguments.date, version, {"shoald(8)"}};
  SHOAL_RETURN_IF_ERROR(WriteManPage(shoal, head, arguments.directory));
  for (const CLI::App* command : ListedCommands(shoal)) {
    if (command->get_options().empty())
      continue;  // `help` and `version`: that of shoal says it all
    const std::string name = absl::StrCat("shoal-", command->get_name());
    head = {name,    absl::StrCat("shoal ", command->get_name()),
            1,       arguments.date,
            version, {"shoal(1)", "shoald(8)"}};
    SHOAL_RETURN_IF_ERROR(WriteManPage(*command, head, arguments.directory));
  }
  return absl::OkStatus();
}

}  // namespace

void AddPages(Parser& parser) {
  auto arguments = std::make_shared<PagesArguments>();
  CLI::App* command = parser.app.add_subcommand("pages", "For the build: writes the manual pages");
  command->group("");  // not listed
  command->footer("");
  command->add_option("dir", arguments->directory, "Where to")->required()->type_name("DIR");
  command->add_option("date", arguments->date, "Of the pages")->required()->type_name("DATE");
  command->callback([&parser, arguments] {
    parser.chosen = [&app = parser.app, &invocation = parser.invocation, arguments] {
      const absl::Status status = WritePages(app, *arguments);
      return status.ok() ? 0 : invocation.Fail(status);
    };
  });
}

}  // namespace shoal::cli
