// UTF-8, character by character.
//
// Ownership:     stateless.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        none; bytes that are no UTF-8 are told as such.
#ifndef SHOAL_COMMON_UTF8_H_
#define SHOAL_COMMON_UTF8_H_

#include <cstddef>
#include <optional>

#include "absl/strings/string_view.h"

namespace shoal {

struct Utf8Character {
  char32_t code = 0;
  size_t bytes = 0;
};

// The character at the front of `text`; nullopt where its first byte begins none: overlong forms,
// surrogates and what is above U+10FFFF are none. REQUIRES: `text` is not empty.
std::optional<Utf8Character> FirstCharacter(absl::string_view text);

// All of `text` is characters.
bool IsUtf8(absl::string_view text);

// How many bytes at the end of `text` begin a character that is not whole; none that could still become one: 0.
size_t UnfinishedUtf8(absl::string_view text);

// The front of `text`, at most `max_bytes`, not cut within a character.
absl::string_view CutUtf8(absl::string_view text, size_t max_bytes);

}  // namespace shoal

#endif  // SHOAL_COMMON_UTF8_H_
