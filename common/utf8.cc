#include "common/utf8.h"

#include <cstdint>

namespace shoal {
namespace {

bool IsContinuation(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }

}  // namespace

std::optional<Utf8Character> FirstCharacter(absl::string_view text) {
  // By length: the smallest code that needs so many bytes.
  static constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const auto first = static_cast<uint8_t>(text[0]);
  if (first < 0x80) return Utf8Character{first, 1};
  if (first < 0xC2 || first >= 0xF5) return std::nullopt;
  const size_t bytes = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  if (bytes > text.size()) return std::nullopt;
  char32_t code = first & (0xFFu >> (bytes + 1));
  for (size_t i = 1; i < bytes; ++i) {
    if (!IsContinuation(text[i])) return std::nullopt;
    code = code << 6 | (static_cast<uint8_t>(text[i]) & 0x3Fu);
  }
  const bool is_surrogate = code >= 0xD800 && code < 0xE000;
  if (code < kSmallest[bytes] || is_surrogate || code > 0x10FFFF) return std::nullopt;
  return Utf8Character{code, bytes};
}

bool IsUtf8(absl::string_view text) {
  while (!text.empty()) {
    if (static_cast<uint8_t>(text[0]) < 0x80) {
      text.remove_prefix(1);
      continue;
    }
    const std::optional<Utf8Character> character = FirstCharacter(text);
    if (!character.has_value()) return false;
    text.remove_prefix(character->bytes);
  }
  return true;
}

size_t UnfinishedUtf8(absl::string_view text) {
  for (size_t back = 1; back < 4 && back <= text.size(); ++back) {
    const char last = text[text.size() - back];
    if (IsContinuation(last)) continue;
    const auto byte = static_cast<uint8_t>(last);
    const bool begins = byte >= 0xC2 && byte < 0xF5;
    const size_t wanted = !begins ? 1 : byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
    return wanted > back ? back : 0;
  }
  return 0;
}

absl::string_view CutUtf8(absl::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text;
  size_t end = max_bytes;
  while (end > 0 && IsContinuation(text[end])) --end;
  return text.substr(0, end);
}

}  // namespace shoal
