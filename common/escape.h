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

// A command line as a person would type it: words in single quotes only where a shell needs them,
// escaped as above.
std::string QuoteForDisplay(absl::string_view word);

}  // namespace shoal

#endif  // SHOAL_COMMON_ESCAPE_H_
