// Rows under a heading, in columns two spaces apart.
//
// Thread-safety: single-threaded.
#ifndef SHOAL_CLIENT_CLI_TABLE_H_
#define SHOAL_CLIENT_CLI_TABLE_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "common/columns.h"  // cells are padded and cut by it

namespace shoal::cli {

struct TableLook {
  bool colours = false;  // the heading in bold
  size_t width = 0;      // columns that there are; 0: as many as it takes
};

// Lines are cut to fit: first what stands in the last column, then in the widest ones, with "…" at the end of a cell.
// A number behind a dot, which tells the rank, is not cut. No column becomes narrower than kLeastColumn and its heading:
// where that is too wide, columns are left out as MayLeaveOut() says.
inline constexpr size_t kLeastColumn = 12;

class Table {
 public:
  explicit Table(std::vector<std::string> heading) { rows_.push_back(std::move(heading)); }

  // A row may be shorter than the heading. Control characters are shown, not obeyed: names and versions are what an
  // agent says they are.
  void Add(std::vector<std::string> row);
  bool empty() const { return rows_.size() == 1; }
  // By their headings; the first one goes first.
  void MayLeaveOut(std::vector<std::string> headings) { may_leave_out_ = std::move(headings); }
  // By its heading, a column whose cells say nothing when they are cut.
  void KeepWhole(std::string heading) { whole_ = std::move(heading); }

  // One line per row without spaces at its end.
  std::string Render(const TableLook& look) const;

 private:
  std::vector<size_t> Widths(size_t most) const;
  void LeaveOut(const std::string& heading);
  std::string RenderAll(const TableLook& look) const;

  std::vector<std::vector<std::string>> rows_;  // the heading first
  std::vector<std::string> may_leave_out_;
  std::string whole_;  // empty: every column may be cut
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_TABLE_H_
