// The start of one process: where, in which session, and under which request_id.
//
// Ownership:     part of a ChildProcess.
// Thread-safety: one Start() at a time; host() once that has returned.
// Blocking:      Start() waits for the agent.
// Errors:        as Process::Start() says. After one that leaves it open whether the process was
//                started, the next Start() finds it.
#ifndef SHOAL_CLIENT_SHOAL_PROCESS_CHILD_SPAWN_H_
#define SHOAL_CLIENT_SHOAL_PROCESS_CHILD_SPAWN_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "shoal/host.h"
#include "shoal/process/child_spec.h"
#include "shoal/process_options.h"

namespace shoal::internal {

class ChildSpawn {
 public:
  absl::StatusOr<v1::Process> Start(const ProcessOptions& options, const Work& work);
  // Where it was started by another program.
  void Attach(std::shared_ptr<Host> host) { host_ = std::move(host); }
  // Where it was started, or was to be.
  const std::shared_ptr<Host>& host() const { return host_; }

 private:
  absl::StatusOr<v1::Process> Call(const std::string& given_id, v1::SpawnRequest request);

  std::shared_ptr<Host> host_;
  std::string request_id_;  // of a spawn that may have been carried out; empty: there is none
};

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_PROCESS_CHILD_SPAWN_H_
