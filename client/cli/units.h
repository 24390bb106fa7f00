// Spans of time and sizes, as people read them.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_CLI_UNITS_H_
#define SHOAL_CLIENT_CLI_UNITS_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace shoal::cli {

// For a sentence: "0.02 s", "41.2 s", "3 min 12 s", "2 h 5 min", "41 d 3 h".
std::string FormatSpan(absl::Duration span);

// For a column: "12s", "3m", "5h", "41d".
std::string FormatAge(absl::Duration age);

// "312 bytes", "1.2 MiB", "18 MiB".
std::string FormatBytes(int64_t bytes);

// "3.1 / 62.7 GiB": a part and its whole, in the unit of the whole.
std::string FormatPart(int64_t part_bytes, int64_t whole_bytes);

// "1 process", "4 processes".
std::string Count(int64_t count, absl::string_view noun, absl::string_view plural_ending = "s");

// Clock time in the reader's zone: "14:02:11", with the date in front when it is not that of `now`.
std::string FormatClock(absl::Time time, absl::Time now);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_UNITS_H_
