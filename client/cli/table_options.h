// What `ps` and `hosts` have in common: how their table is sorted, cut and widened.
//
// Ownership:     values.
// Thread-safety: as plain values.
// Blocking:      never blocks.
// Errors:        INVALID_ARGUMENT of the parser for a key that there is not.
#ifndef SHOAL_CLIENT_CLI_TABLE_OPTIONS_H_
#define SHOAL_CLIENT_CLI_TABLE_OPTIONS_H_

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/string_view.h"
#include "client/cli/table.h"
#include "google/protobuf/map.h"

namespace shoal::cli {

struct TableOptions {
  bool no_trunc = false;
  bool labels = false;
  std::string sort;  // keys, each maybe behind a "-"
};

// --no-trunc of a table that has no further options.
void AddNoTrunc(CLI::App* command, bool* no_trunc);

// --no-trunc, --labels and --sort, which knows `keys`.
void AddTableOptions(CLI::App* command, TableOptions* options,
                     const std::vector<std::string>& keys);

// What rows are sorted by: the number first.
using SortValue = std::pair<double, std::string>;

struct SortKey {
  std::string name;
  bool is_descending = false;
};
std::vector<SortKey> ParseSortKeys(absl::string_view text);

// Rows that are equal keep their order. `value_of(row, key name)`.
template <typename Row, typename ValueOf>
void SortRows(absl::string_view sort, ValueOf value_of, std::vector<Row>* rows) {
  const std::vector<SortKey> keys = ParseSortKeys(sort);
  std::stable_sort(rows->begin(), rows->end(), [&](const Row& a, const Row& b) {
    for (const SortKey& key : keys) {
      const SortValue of_a = value_of(a, key.name);
      const SortValue of_b = value_of(b, key.name);
      if (of_a != of_b) return (of_a < of_b) != key.is_descending;
    }
    return false;
  });
}

// "job=render,user=ada", by key.
std::string LabelsInTable(const google::protobuf::Map<std::string, std::string>& labels);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_TABLE_OPTIONS_H_
