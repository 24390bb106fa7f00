// What an agent tells of the ranks of a job.
#ifndef SHOAL_TESTS_UNIT_CLIENT_TOLD_PROCESSES_H_
#define SHOAL_TESTS_UNIT_CLIENT_TOLD_PROCESSES_H_

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal {

inline v1::Process Running(int rank, int64_t revision = 1) {
  v1::Process process;
  process.set_id(absl::StrCat("ID", rank));
  process.set_rank(rank);
  process.set_pid(100 + rank);
  process.set_state(v1::STATE_RUNNING);
  process.set_revision(revision);
  process.mutable_start_time()->set_seconds(1000);
  return process;
}

inline v1::Process Exited(int rank, int code, int64_t revision = 5) {
  v1::Process process = Running(rank, revision);
  process.set_state(v1::STATE_EXITED);
  process.mutable_exit()->set_code(code);
  process.mutable_exit_time()->set_seconds(1010 + rank);
  process.set_output_complete(true);
  process.set_tree_empty(true);
  return process;
}

inline v1::Process Ended(int rank, v1::Cause cause) {
  v1::Process process = Exited(rank, 0);
  process.mutable_exit()->set_signal(15);
  process.mutable_exit()->set_cause(cause);
  return process;
}

inline void SetWritten(v1::Process& process, int64_t bytes) {
  v1::StreamPosition* position = process.add_output();
  position->set_stream(v1::STREAM_KIND_STDOUT);
  position->set_end_offset(bytes);
}

inline v1::ReadOutputResponse Frame(int rank, int64_t offset, const std::string& data) {
  v1::ReadOutputResponse frame;
  frame.set_id(absl::StrCat("ID", rank));
  frame.set_stream(v1::STREAM_KIND_STDOUT);
  frame.set_offset(offset);
  frame.set_data(data);
  return frame;
}

inline v1::SpawnBatchResponse Spawned(int first, int count) {
  v1::SpawnBatchResponse response;
  for (int i = 0; i < count; ++i) *response.add_results()->mutable_process() = Running(first + i);
  return response;
}

inline v1::WatchResponse Upsert(v1::Process process) {
  v1::WatchResponse event;
  event.set_revision(process.revision());
  *event.mutable_upsert() = std::move(process);
  return event;
}

inline v1::WatchResponse Synced(int64_t revision) {
  v1::WatchResponse event;
  event.set_revision(revision);
  event.mutable_synced();
  return event;
}

}  // namespace shoal

#endif  // SHOAL_TESTS_UNIT_CLIENT_TOLD_PROCESSES_H_
