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

bool IsC1(absl::string_view bytes) {
  const std::optional<Utf8Character> character = FirstCharacter(bytes);
  return character.has_value() && character->code >= 0x80 && character->code < 0xA0;
}

enum class Rest { kEscaped, kStays };  // tabs, and bytes that are no UTF-8

void AppendEscaped(absl::string_view bytes, Rest rest, std::string* out) {
  for (size_t i = 0; i < bytes.size();) {
    char c = bytes[i];
    size_t length = PlainLengthAt(bytes.substr(i));
    const auto byte = static_cast<uint8_t>(c);
    const bool stays = rest == Rest::kStays &&
                       (c == '\t' || (length == 0 && byte >= 0xA0 && !IsC1(bytes.substr(i))));
    if (stays) {
      *out += c;
      length = 1;
    } else if (c == '\n') {
      *out += "\\n";
    } else if (c == '\t') {
      *out += "\\t";
    } else if (c == '\r') {
      *out += "\\r";
    } else if (length == 0 || byte < 0x20 || c == 0x7f) {
      absl::StrAppendFormat(out, "\\x%02x", byte);
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
  AppendEscaped(bytes.substr(0, max_bytes), Rest::kEscaped, &out);
  if (bytes.size() > max_bytes) out += "…";
  return out;
}

std::string ShowControls(absl::string_view bytes) {
  std::string out;
  AppendEscaped(bytes, Rest::kStays, &out);
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
    AppendEscaped(word.substr(i, end - i), Rest::kEscaped, &out);
    if (quote == absl::string_view::npos) break;
    out += "'\\''";
    i = quote + 1;
  }
  out += "'";
  return out;
}

}  // namespace shoal
