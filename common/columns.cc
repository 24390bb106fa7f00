#include "common/columns.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/utf8.h"

namespace shoal {
namespace {

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
  while (!text.empty()) {
    // A byte that begins no character is shown as one.
    const Utf8Character none = {static_cast<uint8_t>(text[0]), 1};
    const Utf8Character character = FirstCharacter(text).value_or(none);
    width += WidthOf(character.code);
    text.remove_prefix(character.bytes);
  }
  return width;
}

std::string CutToWidth(absl::string_view text, size_t width) {
  if (DisplayWidth(text) <= width) return std::string(text);
  size_t bytes = 0;
  size_t taken = 1;  // for the mark
  while (bytes < text.size()) {
    const Utf8Character none = {static_cast<uint8_t>(text[bytes]), 1};
    const Utf8Character character = FirstCharacter(text.substr(bytes)).value_or(none);
    if (taken + WidthOf(character.code) > width) break;
    taken += WidthOf(character.code);
    bytes += character.bytes;
  }
  return absl::StrCat(text.substr(0, bytes), "…");
}

std::string Pad(absl::string_view text, size_t width) {
  size_t has = DisplayWidth(text);
  return absl::StrCat(text, std::string(width > has ? width - has : 0, ' '));
}

std::string PadLeft(absl::string_view text, size_t width) {
  size_t has = DisplayWidth(text);
  return absl::StrCat(std::string(width > has ? width - has : 0, ' '), text);
}

std::string Wrap(absl::string_view text, size_t width, size_t indent) {
  std::string wrapped;
  size_t column = 0;
  for (absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    const size_t columns = DisplayWidth(word);
    if (column > 0 && column + 1 + columns > width) {
      absl::StrAppend(&wrapped, "\n", std::string(indent, ' '));
      column = indent;
    } else if (column > 0) {
      wrapped += ' ';
      ++column;
    }
    absl::StrAppend(&wrapped, word);
    column += columns;
  }
  return wrapped;
}

}  // namespace shoal
