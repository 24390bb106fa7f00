#include "client/cli/detach_keys.h"

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/escape.h"

namespace shoal::cli {
namespace {

// The character of "ctrl-x", or of a word of one character; 0: neither.
char KeyOf(absl::string_view word) {
  if (word.size() == 1) return word[0];
  if (!absl::ConsumePrefix(&word, "ctrl-") || word.size() != 1) return 0;
  const char upper = absl::ascii_toupper(static_cast<unsigned char>(word[0]));
  return upper > '@' && upper <= '_' ? static_cast<char>(upper - '@') : char{0};
}

}  // namespace

absl::StatusOr<DetachKeys> DetachKeys::Parse(absl::string_view text) {
  DetachKeys keys;
  if (text.empty()) return keys;
  for (const absl::string_view word : absl::StrSplit(text, ',')) {
    const char key = KeyOf(word);
    if (key == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("--detach-keys \"", EscapeForMessage(text),
                       "\": each is ctrl- and a letter, or one character, with commas between"));
    }
    keys.keys_.push_back(key);
  }
  return keys;
}

bool DetachKeys::Feed(absl::string_view typed, std::string* passed) {
  for (const char key : typed) {
    if (keys_.empty()) {
      passed->push_back(key);
      continue;
    }
    // What was kept back may end in another beginning of the keys.
    std::string kept = keys_.substr(0, matched_) + key;
    while (!kept.empty() && keys_.compare(0, kept.size(), kept) != 0) {
      passed->push_back(kept[0]);
      kept.erase(0, 1);
    }
    matched_ = kept.size();
    if (matched_ == keys_.size()) return true;
  }
  return false;
}

}  // namespace shoal::cli
