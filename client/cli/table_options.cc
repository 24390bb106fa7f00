#include "client/cli/table_options.h"

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/escape.h"

namespace shoal::cli {

void AddNoTrunc(CLI::App* command, bool* no_trunc) {
  command->add_flag("--no-trunc", *no_trunc, "Cut nothing, whatever the width");
}

void AddTableOptions(CLI::App* command, TableOptions* options,
                     const std::vector<std::string>& keys) {
  AddNoTrunc(command, &options->no_trunc);
  command->add_flag("--labels", options->labels, "A column with the labels");
  const std::string known = absl::StrJoin(keys, ", ");
  const auto check = [keys, known](std::string& text) {
    if (text.empty()) return absl::StrCat("the value is empty; known are ", known);
    for (const SortKey& key : ParseSortKeys(text)) {
      if (absl::c_linear_search(keys, key.name)) continue;
      return absl::StrCat("there is no \"", EscapeForMessage(key.name), "\"; known are ", known);
    }
    return std::string();
  };
  command
      ->add_option("--sort", options->sort,
                   absl::StrCat("Sort by this, or by several with commas; largest first with a - "
                                "before it: --sort=-",
                                keys.back()))
      ->check(CLI::Validator(check, absl::StrCat("{", absl::StrJoin(keys, ","), "}")))
      ->type_name("KEY");
}

std::vector<SortKey> ParseSortKeys(absl::string_view text) {
  std::vector<SortKey> keys;
  if (text.empty()) return keys;
  for (absl::string_view name : absl::StrSplit(text, ',')) {
    const bool is_descending = absl::ConsumePrefix(&name, "-");
    keys.push_back({std::string(name), is_descending});
  }
  return keys;
}

std::string LabelsInTable(const google::protobuf::Map<std::string, std::string>& labels) {
  std::vector<std::string> parts;
  for (const auto& [key, value] : labels) parts.push_back(absl::StrCat(key, "=", value));
  absl::c_sort(parts);
  return parts.empty() ? "–" : absl::StrJoin(parts, ",");
}

}  // namespace shoal::cli
