// A plain gRPC client of one agent over its Unix socket, for what the command line cannot say.
//
// Ownership:     owns its channel. Survives restarts of the agent: calls wait for it to be there.
// Thread-safety: thread-safe.
// Blocking:      every call blocks until its answer, at most kDeadline.
// Errors:        the methods that return a Process fail the test and return an empty one.
#ifndef SHOAL_TESTS_SUPPORT_SYSTEM_AGENT_STUB_H_
#define SHOAL_TESTS_SUPPORT_SYSTEM_AGENT_STUB_H_

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "shoal/v1/host_service.grpc.pb.h"
#include "shoal/v1/process_service.grpc.pb.h"
#include "shoal/v1/session_service.grpc.pb.h"

namespace shoal::testing {

// The status's code, by name, and message.
std::string Describe(const grpc::Status& status);

// A spec that runs `argv`, DETACHED.
v1::ProcessSpec SpecOf(const std::vector<std::string>& argv, absl::string_view name = "");

class AgentStub {
 public:
  explicit AgentStub(const std::string& socket_path);

  v1::ProcessService::Stub& processes() { return *processes_; }
  v1::SessionService::Stub& sessions() { return *sessions_; }
  v1::HostService::Stub& host() { return *host_; }
  const std::shared_ptr<grpc::Channel>& channel() { return channel_; }

  // One Spawn call as it is; `wait_for_ready` decides whether an absent agent is waited for.
  grpc::Status TrySpawn(const v1::SpawnRequest& request, v1::SpawnResponse* response,
                        bool wait_for_ready = true);

  v1::Process Spawn(const v1::ProcessSpec& spec);
  v1::Process Get(absl::string_view selector);
  std::vector<v1::Process> List();
  // Until it has come there; the process as it is then.
  v1::Process Wait(absl::string_view selector, v1::WaitRequest::Until until);
  std::vector<v1::Process> WaitAll(v1::WaitRequest::Until until);
  void TerminateAll();
  // Everything that stands in the stream now; a gap, or frames that do not follow each other, fail
  // the test.
  std::string Output(absl::string_view selector, v1::StreamKind stream);
  // Watches from the snapshot on until `seen` returns true for an upsert.
  bool WatchUntil(const std::function<bool(const v1::Process&)>& seen);

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::ProcessService::Stub> processes_;
  std::unique_ptr<v1::SessionService::Stub> sessions_;
  std::unique_ptr<v1::HostService::Stub> host_;
};

// A context with the deadline that every call has.
class CallContext : public grpc::ClientContext {
 public:
  explicit CallContext(bool wait_for_ready = true);
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_SYSTEM_AGENT_STUB_H_
