// The ranks of a job that count as failed, and which of them failed first: by exit time, with the clocks
// of the hosts set off against each other.
//
// Ownership:     part of a JobState.
// Thread-safety: as a plain value.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_CLIENT_SHOAL_JOB_JOB_FAILURES_H_
#define SHOAL_CLIENT_SHOAL_JOB_JOB_FAILURES_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "shoal/host.h"
#include "shoal/v1/process.pb.h"

namespace shoal {

class JobFailures {
 public:
  explicit JobFailures(size_t hosts)
      : clocks_(hosts, ClockReading{absl::UnixEpoch(), absl::InfiniteDuration()}) {}

  // What the host's times are counted from.
  void SetClock(int host, const ClockReading& clock) { clocks_[static_cast<size_t>(host)] = clock; }
  // The rank has failed. In the order in which they are heard of. `process`, as it was last seen, must
  // outlive this.
  void Add(int rank, int host, const v1::Process* process) {
    failures_.push_back({rank, host, process});
  }

  // Nothing: there is none. Where the times cannot be compared, the one that was heard of first.
  std::optional<int> First() const;
  // Every rank.
  std::vector<int> ByRank() const;
  // Those on other hosts that may have failed before First(), by rank.
  std::vector<int> MaybeFirst() const;

 private:
  struct Failure {
    int rank = 0;
    int host = 0;
    const v1::Process* process = nullptr;
  };

  const Failure& FirstFailure() const;
  const ClockReading& ClockOf(const Failure& failure) const {
    return clocks_[static_cast<size_t>(failure.host)];
  }
  bool IsEarlier(const Failure& failure, const Failure& other) const;
  bool MayBeEarlier(const Failure& failure, const Failure& other) const;
  absl::Duration TimeOfExit(const Failure& failure) const;
  // How exactly the two can be compared.
  absl::Duration UncertaintyOf(const Failure& failure, const Failure& other) const;

  std::vector<ClockReading> clocks_;
  std::vector<Failure> failures_;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_JOB_JOB_FAILURES_H_
