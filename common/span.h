// A span of time as people write it.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_COMMON_SPAN_H_
#define SHOAL_COMMON_SPAN_H_

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace shoal {

// What an option takes: kFinite excludes "inf", kAboveZero zero.
enum class SpanBounds { kAny, kFinite, kAboveZero };

// "10", "2.5s", "500ms", "1h30m", "2d", "inf"; a bare number is seconds. INVALID_ARGUMENT, with what to
// give, for anything else: negative spans, those beyond 100 years, and those beyond the bounds.
absl::StatusOr<absl::Duration> ParseSpan(absl::string_view text,
                                         SpanBounds bounds = SpanBounds::kAny);

}  // namespace shoal

#endif  // SHOAL_COMMON_SPAN_H_
