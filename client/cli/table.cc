#include "client/cli/table.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "common/escape.h"

namespace shoal::cli {
namespace {

constexpr size_t kGap = 2;

// The number behind the last dot, with it.
absl::string_view RankOf(absl::string_view cell) {
  const size_t dot = cell.rfind('.');
  if (dot == absl::string_view::npos || dot + 1 == cell.size()) return "";
  const absl::string_view number = cell.substr(dot + 1);
  const bool is_number = number.find_first_not_of("0123456789") == absl::string_view::npos;
  return is_number ? cell.substr(dot) : "";
}

std::string CutCell(absl::string_view cell, size_t width) {
  const absl::string_view rank = RankOf(cell);
  if (DisplayWidth(cell) <= width || rank.size() + 1 >= width) return CutToWidth(cell, width);
  cell.remove_suffix(rank.size());
  return absl::StrCat(CutToWidth(cell, width - rank.size()), rank);
}

size_t LineWidth(const std::vector<size_t>& widths) {
  size_t wide = (widths.size() - 1) * kGap;
  for (size_t width : widths) wide += width;
  return wide;
}

}  // namespace

void Table::Add(std::vector<std::string> row) {
  for (std::string& cell : row) cell = EscapeForMessage(cell, cell.size());
  rows_.push_back(std::move(row));
}

// Of each column, so that a line has at most `most` of them.
std::vector<size_t> Table::Widths(size_t most) const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  size_t wide = LineWidth(widths);
  const auto least = [this, full = widths](size_t column) {
    const bool has_heading = column < rows_[0].size();
    if (has_heading && rows_[0][column] == whole_) return full[column];
    return std::max(kLeastColumn, has_heading ? DisplayWidth(rows_[0][column]) : 0);
  };
  const auto narrow = [&](size_t column, size_t to) {
    const size_t width =
        std::max({to, least(column), widths[column] - std::min(widths[column], wide - most)});
    if (width >= widths[column]) return false;
    wide -= widths[column] - width;
    widths[column] = width;
    return true;
  };
  if (most == 0 || wide <= most) return widths;
  narrow(widths.size() - 1, 0);
  while (wide > most) {
    // The widest one, down to the next.
    size_t widest = widths.size();
    for (size_t i = 0; i < widths.size(); ++i) {
      const bool is_wider = widest == widths.size() || widths[i] > widths[widest];
      if (widths[i] > least(i) && is_wider) widest = i;
    }
    if (widest == widths.size()) break;
    size_t next = 0;
    for (size_t width : widths) next = width < widths[widest] ? std::max(next, width) : next;
    if (!narrow(widest, next)) break;
  }
  return widths;
}

void Table::LeaveOut(const std::string& heading) {
  const auto found = std::find(rows_[0].begin(), rows_[0].end(), heading);
  if (found == rows_[0].end()) return;
  const auto column = static_cast<size_t>(found - rows_[0].begin());
  for (auto& row : rows_) {
    if (column < row.size()) row.erase(row.begin() + static_cast<std::ptrdiff_t>(column));
  }
}

std::string Table::Render(const TableLook& look) const {
  Table fitting = *this;
  for (const std::string& heading : may_leave_out_) {
    if (look.width == 0 || LineWidth(fitting.Widths(look.width)) <= look.width) break;
    fitting.LeaveOut(heading);
  }
  return fitting.RenderAll(look);
}

std::string Table::RenderAll(const TableLook& look) const {
  const std::vector<size_t> widths = Widths(look.width);
  std::string out;
  for (size_t r = 0; r < rows_.size(); ++r) {
    const auto& row = rows_[r];
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const bool is_last = i + 1 == row.size();
      const std::string cell = CutCell(row[i], widths[i]);
      absl::StrAppend(&line, Pad(cell, is_last ? 0 : widths[i] + kGap));
    }
    line.resize(line.find_last_not_of(' ') + 1);
    const bool is_bold = look.colours && r == 0;
    absl::StrAppend(&out, is_bold ? "\033[1m" : "", line, is_bold ? "\033[0m" : "", "\n");
  }
  return out;
}

}  // namespace shoal::cli
