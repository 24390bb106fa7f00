#include "shoal/job/job_failures.h"

#include <algorithm>

#include "shoal/duration.h"

namespace shoal {

// On the one scale that all hosts have in common: since this machine's boot.
absl::Duration JobFailures::TimeOfExit(const Failure& failure) const {
  return FromProto(failure.process->exit_time()) - ClockOf(failure).at_boot;
}

absl::Duration JobFailures::UncertaintyOf(const Failure& failure, const Failure& other) const {
  return ClockOf(failure).uncertainty + ClockOf(other).uncertainty;
}

bool JobFailures::IsEarlier(const Failure& failure, const Failure& other) const {
  if (!failure.process->has_exit_time() || !other.process->has_exit_time()) return false;
  if (failure.host != other.host && UncertaintyOf(failure, other) == absl::InfiniteDuration()) {
    return false;
  }
  return TimeOfExit(failure) < TimeOfExit(other);
}

// REQUIRES: not IsEarlier(failure, other)
bool JobFailures::MayBeEarlier(const Failure& failure, const Failure& other) const {
  if (failure.host == other.host || !failure.process->has_exit_time() ||
      !other.process->has_exit_time()) {
    return false;
  }
  const absl::Duration unknown = UncertaintyOf(failure, other);
  return unknown == absl::InfiniteDuration() || TimeOfExit(failure) - TimeOfExit(other) <= unknown;
}

// REQUIRES: there is one.
const JobFailures::Failure& JobFailures::FirstFailure() const {
  const Failure* first = &failures_[0];
  for (const Failure& failure : failures_) {
    if (IsEarlier(failure, *first)) first = &failure;
  }
  return *first;
}

std::optional<int> JobFailures::First() const {
  if (failures_.empty()) return std::nullopt;
  return FirstFailure().rank;
}

std::vector<int> JobFailures::ByRank() const {
  std::vector<int> ranks;
  ranks.reserve(failures_.size());
  for (const Failure& failure : failures_) ranks.push_back(failure.rank);
  std::sort(ranks.begin(), ranks.end());
  return ranks;
}

std::vector<int> JobFailures::MaybeFirst() const {
  std::vector<int> ranks;
  if (failures_.empty()) return ranks;
  const Failure& first = FirstFailure();
  for (const Failure& failure : failures_) {
    if (MayBeEarlier(failure, first)) ranks.push_back(failure.rank);
  }
  std::sort(ranks.begin(), ranks.end());
  return ranks;
}

}  // namespace shoal
