// Rows under a heading, in columns two spaces apart.
//
// Thread-safety: single-threaded.
#ifndef SHOAL_CLIENT_CLI_TABLE_H_
#define SHOAL_CLIENT_CLI_TABLE_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace shoal::cli {

// Columns that a terminal gives to `text`: code points, those of zero width not counted. Wide East
// Asian ones count as two.
size_t DisplayWidth(absl::string_view text);

// `text` followed by spaces up to `width` columns; PadLeft puts them in front.
std::string Pad(absl::string_view text, size_t width);
std::string PadLeft(absl::string_view text, size_t width);

class Table {
 public:
  explicit Table(std::vector<std::string> heading) { rows_.push_back(std::move(heading)); }

  // A row may be shorter than the heading. Control characters are shown, not obeyed: names and versions are what an
  // agent says they are.
  void Add(std::vector<std::string> row);
  bool empty() const { return rows_.size() == 1; }

  // One line per row without spaces at its end; the heading in bold if `colours`.
  std::string Render(bool colours) const;

 private:
  std::vector<std::vector<std::string>> rows_;  // the heading first
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_TABLE_H_
