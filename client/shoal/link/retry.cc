#include "shoal/link/retry.h"

#include <algorithm>

#include "absl/random/random.h"

namespace shoal {
namespace {

constexpr absl::Duration kLongest = absl::Seconds(1);

}  // namespace

absl::Duration Backoff::Next() {
  absl::InsecureBitGen random;
  absl::Duration pause = pause_ * absl::Uniform(random, 0.75, 1.0);
  pause_ = std::min(pause_ * 2, kLongest);
  return pause;
}

std::optional<absl::Duration> PauseBeforeRetry(const Attempt& attempt, BootTime now,
                                               Backoff* backoff) {
  if (!attempt.retry_wanted) return std::nullopt;
  BootTime end = attempt.deadline;
  if (!attempt.has_answered) {
    if (!attempt.wait_for_agent) return std::nullopt;
    end = std::min(end, attempt.connect_deadline);
  }
  absl::Duration pause = backoff->Next();
  if (now + pause >= end) return std::nullopt;
  return pause;
}

}  // namespace shoal
