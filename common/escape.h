// Bytes of a user, made safe for a message, a log line or a terminal.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_COMMON_ESCAPE_H_
#define SHOAL_COMMON_ESCAPE_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace shoal {

// Valid UTF-8 without control characters stays; everything else becomes \xNN, \n, \t, …; cut at
// `max_bytes` of the input with "…" behind. For messages and logs: an escape sequence must not
// reach a terminal, nor a newline a log.
std::string EscapeForMessage(absl::string_view bytes, size_t max_bytes = 128);

// Output of a process as a terminal may show it on a line that is not its own: control characters
// but tab become \xNN, \r, …, and bytes that some terminals take for such. All else stays, also
// what is no UTF-8.
std::string ShowControls(absl::string_view bytes);

// A command line as a person would type it: words in single quotes only where a shell needs them,
// escaped as above.
std::string QuoteForDisplay(absl::string_view word);

}  // namespace shoal

#endif  // SHOAL_COMMON_ESCAPE_H_
