// Many asynchronous calls at the same time.
//
// Thread-safety: thread-safe.
// Blocking:      until every call was answered. Not on a thread of gRPC.
// Errors:        each in its place, none dropped.
#ifndef SHOAL_CLIENT_SHOAL_FAN_OUT_H_
#define SHOAL_CLIENT_SHOAL_FAN_OUT_H_

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shoal/call.h"

namespace shoal {
namespace internal {

// Calls start(i, on_answered) for each index below `count`; waits until all were answered.
void AwaitAll(size_t count,
              const std::function<void(size_t, std::function<void()> on_answered)>& start);

}  // namespace internal

// Calls start(i, done) for each index below `count`, which begins one call, and waits for all.
// Answers are by index.
template <typename T>
std::vector<absl::StatusOr<T>> FanOut(size_t count,
                                      const std::function<void(size_t, Done<T>)>& start) {
  std::vector<absl::StatusOr<T>> answers(count, absl::UnknownError("no answer"));
  internal::AwaitAll(count, [&](size_t i, std::function<void()> on_answered) {
    start(i,
          [&answer = answers[i], on_answered = std::move(on_answered)](absl::StatusOr<T> result) {
            answer = std::move(result);
            on_answered();
          });
  });
  return answers;
}

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_FAN_OUT_H_
