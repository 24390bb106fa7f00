#include "common/signals.h"

#include <csignal>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/escape.h"

namespace shoal {

std::string SignalName(int signal_number) {
  if (signal_number >= SIGRTMIN && signal_number <= SIGRTMAX) {
    int above = signal_number - SIGRTMIN;
    return above == 0 ? "SIGRTMIN" : absl::StrCat("SIGRTMIN+", above);
  }
  const char* name = sigabbrev_np(signal_number);
  return name != nullptr ? absl::StrCat("SIG", name) : absl::StrCat("signal ", signal_number);
}

absl::StatusOr<int> ParseSignal(absl::string_view text) {
  int number = 0;
  if (absl::SimpleAtoi(text, &number)) {
    if (number >= 1 && number <= kMaxSignal) return number;
  } else {
    std::string wanted = absl::AsciiStrToUpper(text);
    if (!absl::StartsWith(wanted, "SIG")) wanted = absl::StrCat("SIG", wanted);
    for (int candidate = 1; candidate <= kMaxSignal; ++candidate) {
      if (SignalName(candidate) == wanted) return candidate;
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("\"", EscapeForMessage(text), "\" is not a signal; try TERM, SIGKILL or 1…64"));
}

}  // namespace shoal
