#include "common/escape.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace shoal {
namespace {

// Length of the valid UTF-8 sequence at `bytes[0]`, or 0. C1 controls (U+0080…U+009F) count as
// invalid.
size_t Utf8LengthAt(absl::string_view bytes) {
  auto at = [&](size_t i) { return static_cast<uint8_t>(bytes[i]); };
  uint8_t first = at(0);
  size_t length = first < 0x80                    ? 1
                  : first >= 0xC2 && first < 0xE0 ? 2
                  : first >= 0xE0 && first < 0xF0 ? 3
                  : first >= 0xF0 && first < 0xF5 ? 4
                                                  : 0;
  if (length == 0 || length > bytes.size()) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xC0) != 0x80) return 0;
  }
  if (first == 0xC2 && at(1) < 0xA0) return 0;
  if (first == 0xE0 && at(1) < 0xA0) return 0;
  if (first == 0xED && at(1) >= 0xA0) return 0;
  if (first == 0xF0 && at(1) < 0x90) return 0;
  if (first == 0xF4 && at(1) >= 0x90) return 0;
  return length;
}

void AppendEscaped(absl::string_view bytes, std::string* out) {
  for (size_t i = 0; i < bytes.size();) {
    char c = bytes[i];
    size_t length = Utf8LengthAt(bytes.substr(i));
    if (c == '\n') {
      *out += "\\n";
    } else if (c == '\t') {
      *out += "\\t";
    } else if (c == '\r') {
      *out += "\\r";
    } else if (length == 0 || static_cast<uint8_t>(c) < 0x20 || c == 0x7f) {
      absl::StrAppendFormat(out, "\\x%02x", static_cast<uint8_t>(c));
      length = 1;
    } else {
      out->append(bytes.data() + i, length);
    }
    i += length == 0 ? 1 : length;
  }
}

}  // namespace

std::string EscapeForMessage(absl::string_view bytes, size_t max_bytes) {
  std::string out;
  AppendEscaped(bytes.substr(0, max_bytes), &out);
  if (bytes.size() > max_bytes) out += "…";
  return out;
}

std::string QuoteForDisplay(absl::string_view word) {
  constexpr absl::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";
  if (!word.empty() && word.find_first_not_of(kPlain) == absl::string_view::npos) {
    return std::string(word);
  }
  std::string out = "'";
  for (size_t i = 0; i < word.size();) {
    size_t quote = word.find('\'', i);
    size_t end = quote == absl::string_view::npos ? word.size() : quote;
    AppendEscaped(word.substr(i, end - i), &out);
    if (quote == absl::string_view::npos) break;
    out += "'\\''";
    i = quote + 1;
  }
  out += "'";
  return out;
}

}  // namespace shoal
