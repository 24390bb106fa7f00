// What an agent said about a failed call beyond its code and its sentence, and how a program that
// gives up says so.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_SHOAL_ERROR_H_
#define SHOAL_CLIENT_SHOAL_ERROR_H_

#include <optional>

#include "absl/status/status.h"
#include "shoal/v1/error_detail.pb.h"

namespace shoal {

// Why the agent refused: reason, and for START_FAILED the metadata "stage" and "errno".
std::optional<v1::ErrorInfo> ErrorInfoOf(const absl::Status& status);

// UNAVAILABLE, and not since the agent refuses something for now: the host was not reached, or the
// connection broke.
bool IsUnreachable(const absl::Status& status);

// A call that failed, and of which an attempt may have reached the agent: what was asked for may be done all the same.
bool MayBeDone(const absl::Status& status);

// The exit code for scripts: 0 if it is OK, 69 when a host cannot be reached, 75 when it is worth
// trying again, else 1.
int ExitCodeOf(const absl::Status& status);

// For main(): prints `shoal: <message>.` to stderr and returns the exit code for it.
//   if (!fleet.ok()) return shoal::Fail(fleet.status());
int Fail(const absl::Status& status);

namespace internal {

// Has MayBeDone(*status) be true. REQUIRES: it is an error.
void MarkAsMaybeDone(absl::Status* status);

}  // namespace internal
}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_ERROR_H_
