#include "client/cli/table.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"

namespace shoal::cli {
namespace {

constexpr size_t kGap = 2;

// The code point at the front of `text`, taken off it; a byte that starts none counts as itself.
char32_t TakeCodePoint(absl::string_view* text) {
  uint8_t first = static_cast<uint8_t>(text->front());
  size_t length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (first >= 0x80 && first < 0xC2) length = 1;
  if (first >= 0xF5 || length > text->size()) length = 1;
  for (size_t i = 1; i < length; ++i) {
    if ((static_cast<uint8_t>((*text)[i]) & 0xC0) != 0x80) length = 1;
  }
  char32_t code = length == 1 ? first : first & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) {
    code = code << 6 | (static_cast<uint8_t>((*text)[i]) & 0x3Fu);
  }
  text->remove_prefix(length);
  return code;
}

size_t WidthOf(char32_t code) {
  bool combining = (code >= 0x300 && code < 0x370) || code == 0x200B || code == 0x200D ||
                   (code >= 0xFE00 && code < 0xFE10);
  if (combining) return 0;
  bool wide = (code >= 0x1100 && code < 0x1160) || (code >= 0x2E80 && code < 0xA4D0) ||
              (code >= 0xAC00 && code < 0xD7A4) || (code >= 0xF900 && code < 0xFB00) ||
              (code >= 0xFE30 && code < 0xFE70) || (code >= 0xFF00 && code < 0xFF61) ||
              (code >= 0x1F300 && code < 0x1FB00) || (code >= 0x20000 && code < 0x3FFFE);
  return wide ? 2 : 1;
}

}  // namespace

size_t DisplayWidth(absl::string_view text) {
  size_t width = 0;
  while (!text.empty()) width += WidthOf(TakeCodePoint(&text));
  return width;
}

std::string Pad(absl::string_view text, size_t width) {
  size_t has = DisplayWidth(text);
  return absl::StrCat(text, std::string(width > has ? width - has : 0, ' '));
}

std::string PadLeft(absl::string_view text, size_t width) {
  size_t has = DisplayWidth(text);
  return absl::StrCat(std::string(width > has ? width - has : 0, ' '), text);
}

std::string Table::Render(bool colours) const {
  std::vector<size_t> widths;
  for (const auto& row : rows_) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], DisplayWidth(row[i]));
  }
  std::string out;
  for (size_t r = 0; r < rows_.size(); ++r) {
    const auto& row = rows_[r];
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppend(&line, Pad(row[i], i + 1 < row.size() ? widths[i] + kGap : 0));
    }
    line.resize(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&out, colours && r == 0 ? "\033[1m" : "", line,
                    colours && r == 0 ? "\033[0m" : "", "\n");
  }
  return out;
}

}  // namespace shoal::cli
