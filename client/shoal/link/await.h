// Turns an asynchronous call into one that blocks.
//
// Thread-safety: not on a thread of gRPC, which would wait for itself.
// Blocking:      until the call is answered.
// Errors:        those of the call.
#ifndef SHOAL_CLIENT_SHOAL_LINK_AWAIT_H_
#define SHOAL_CLIENT_SHOAL_LINK_AWAIT_H_

#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "common/notification.h"
#include "shoal/call.h"

namespace shoal {

template <typename T>
absl::StatusOr<T> Await(absl::AnyInvocable<void(Done<T>)> start) {
  Notification answered;
  absl::StatusOr<T> answer = absl::UnknownError("no answer");
  start([&](absl::StatusOr<T> result) {
    answer = std::move(result);
    answered.Notify();
  });
  answered.WaitForNotification();
  return answer;
}

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_LINK_AWAIT_H_
