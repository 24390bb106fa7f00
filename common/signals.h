// Signal names and numbers.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_COMMON_SIGNALS_H_
#define SHOAL_COMMON_SIGNALS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

inline constexpr int kMaxSignal = 64;

// "SIGTERM" for 15, "SIGRTMIN+3", "signal 99" for what has no name.
std::string SignalName(int signal_number);

// Accepts "TERM", "SIGTERM", "sigterm", "15". INVALID_ARGUMENT for anything else, 0 and above 64
// included.
absl::StatusOr<int> ParseSignal(absl::string_view text);

}  // namespace shoal

#endif  // SHOAL_COMMON_SIGNALS_H_
