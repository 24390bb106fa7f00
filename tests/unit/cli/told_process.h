// A process of which a story is told, and the times in it.
#ifndef SHOAL_TESTS_UNIT_CLI_TOLD_PROCESS_H_
#define SHOAL_TESTS_UNIT_CLI_TOLD_PROCESS_H_

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "shoal/v1/process.pb.h"

namespace shoal::cli {

inline const absl::TimeZone kZone = absl::LocalTimeZone();

inline absl::Time At(int hour, int minute, int second) {
  return absl::FromCivil(absl::CivilSecond(2026, 3, 1, hour, minute, second), kZone);
}

inline void Set(google::protobuf::Timestamp* timestamp, absl::Time time) {
  timestamp->set_seconds(absl::ToUnixSeconds(time));
  timestamp->set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(time - absl::FromUnixSeconds(timestamp->seconds()))));
}

inline v1::Process Web() {
  v1::Process process;
  process.set_name("web");
  process.set_id("7KQ2MDABCDEFGHIJ");
  process.set_host("ant");
  process.set_pid(48213);
  process.set_owner("uid:1000");
  process.set_state(v1::STATE_RUNNING);
  process.mutable_spec()->add_argv("serve");
  Set(process.mutable_create_time(), At(14, 2, 10));
  Set(process.mutable_start_time(), At(14, 2, 11));
  return process;
}

inline void AskForEnd(v1::Cause cause, absl::Time time, v1::Process* process) {
  v1::Termination& end = *process->mutable_termination();
  end.set_requested_by("uid:1000");
  end.set_cause(cause);
  end.set_signal(15);
  end.mutable_grace()->set_seconds(5);
  Set(end.mutable_request_time(), time);
}

}  // namespace shoal::cli

#endif  // SHOAL_TESTS_UNIT_CLI_TOLD_PROCESS_H_
