#include "common/escape.h"

#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/utf8.h"

namespace shoal {
namespace {

// Length of the character at the front, or 0: no UTF-8, or a control character of C1.
size_t PlainLengthAt(absl::string_view bytes) {
  const std::optional<Utf8Character> character = FirstCharacter(bytes);
  if (!character.has_value() || (character->code >= 0x80 && character->code < 0xA0)) return 0;
  return character->bytes;
}

void AppendEscaped(absl::string_view bytes, std::string* out) {
  for (size_t i = 0; i < bytes.size();) {
    char c = bytes[i];
    size_t length = PlainLengthAt(bytes.substr(i));
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
  static constexpr absl::string_view kPlain =
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
