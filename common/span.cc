#include "common/span.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/escape.h"

namespace shoal {
namespace {

absl::Status BadSpan(absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", EscapeForMessage(text), "\" is not a span of time; try 30s, 500ms, 1h30m or 2d"));
}

// Days are what absl::ParseDuration does not know: takes "<number>d" off the front of `text`.
bool TakeDays(absl::string_view* text, absl::Duration* days) {
  size_t unit = text->find('d');
  if (unit == absl::string_view::npos) return true;
  double count = 0;
  if (!absl::SimpleAtod(text->substr(0, unit), &count) || !std::isfinite(count)) return false;
  *days = count * absl::Hours(24);
  text->remove_prefix(unit + 1);
  return true;
}

}  // namespace

absl::StatusOr<absl::Duration> ParseSpan(absl::string_view text) {
  double seconds = 0;
  if (text == "inf") return absl::InfiniteDuration();
  absl::Duration span;
  if (absl::SimpleAtod(text, &seconds) && std::isfinite(seconds)) {
    span = absl::Seconds(seconds);
  } else {
    absl::string_view rest = text;
    absl::Duration days;
    if (!TakeDays(&rest, &days)) return BadSpan(text);
    bool only_days = rest.empty() && rest.size() != text.size();
    if (!only_days && !absl::ParseDuration(rest, &span)) return BadSpan(text);
    if (span < absl::ZeroDuration()) return BadSpan(text);
    span += days;
  }
  if (span < absl::ZeroDuration() || span == absl::InfiniteDuration()) return BadSpan(text);
  return span;
}

}  // namespace shoal
