// The exit status of `shoal`, where it is not a process's own (sysexits(3) where it has one).
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_CLI_EXIT_STATUS_H_
#define SHOAL_CLIENT_CLI_EXIT_STATUS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace shoal::cli {

inline constexpr int kExitFailure = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitUnreachable = 69;
inline constexpr int kExitUnknown = 70;
inline constexpr int kExitTryAgain = 75;
inline constexpr int kExitNotStarted = 125;

// What went wrong, as scripts are told: 2 for what the caller wrote, 69 for a host that cannot be
// reached, 75 for what may work when tried again, 1 for everything else.
int ExitStatusOf(const absl::Status& status);
// The same where a process was to be started, and was not: a failure that is of no other kind is kExitNotStarted.
int NotStartedStatusOf(const absl::Status& status);

// An error that stands in an answer, about one of several things: UNAVAILABLE is what the agent cannot
// do for now, and no host that is away.
absl::Status StatusOfAnswer(int code, absl::string_view message);

// "; " and `doubt` behind the status of a call that may have been carried out all the same; others as they are.
absl::Status WithDoubt(const absl::Status& status, absl::string_view doubt);

// The message of `status` as one line for a person, a full stop at its end and a hint where one
// helps.
std::string ToSentence(const absl::Status& status);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_EXIT_STATUS_H_
