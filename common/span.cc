#include "common/span.h"

#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/escape.h"
#include "common/status.h"

namespace shoal {
namespace {

constexpr absl::Duration kLongest = absl::Hours(24 * 366 * 100);

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

// As written, without bounds.
absl::StatusOr<absl::Duration> ReadSpan(absl::string_view text) {
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
  if (span <= kLongest) return span;
  return absl::InvalidArgumentError(
      absl::StrCat("\"", EscapeForMessage(text), "\" is longer than 100 years"));
}

}  // namespace

absl::StatusOr<absl::Duration> ParseSpan(absl::string_view text, SpanBounds bounds) {
  SHOAL_ASSIGN_OR_RETURN(const absl::Duration span, ReadSpan(text));
  if (bounds == SpanBounds::kFinite && span == absl::InfiniteDuration()) {
    return absl::InvalidArgumentError("\"inf\" has no end; give a span such as 30s or 2d");
  }
  if (bounds == SpanBounds::kAboveZero && span == absl::ZeroDuration()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", EscapeForMessage(text), "\" is no span above zero; leave it out for none"));
  }
  return span;
}

}  // namespace shoal
