// An agent for tests of its gRPC edge: the real supervisor, loop and server on real sockets, over
// faked shims.
//
// Ownership:     the test's; everything is gone with it.
// Thread-safety: OnLoop and the stubs from any thread; the fakes by OnLoop only.
#ifndef SHOAL_TESTS_RPC_AGENT_RPC_AGENT_H_
#define SHOAL_TESTS_RPC_AGENT_RPC_AGENT_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "agent/loop/event_loop.h"
#include "agent/os/blob_store.h"
#include "agent/os/helper_thread.h"
#include "agent/os/loop_scheduler.h"
#include "agent/os/system_clock.h"
#include "agent/os/system_process_files.h"
#include "agent/output/output_thread.h"
#include "agent/rpc/call_audit.h"
#include "agent/rpc/edge.h"
#include "agent/rpc/server.h"
#include "shoal/v1/process_service.grpc.pb.h"
#include "shoal/v1/session_service.grpc.pb.h"
#include "tests/support/crash_point.h"
#include "tests/support/fake_audit_sink.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_input_rings.h"
#include "tests/support/fake_output_files.h"
#include "tests/support/fake_peers.h"
#include "tests/support/fake_shims.h"
#include "tests/support/fake_store.h"

namespace shoal::agent {

class RpcAgent {
 public:
  explicit RpcAgent(ServerOptions options = {}, std::vector<std::string> allowed = {},
                    BlobStoreOptions blobs = {}, TcpLimits limits = {}, AuditOptions audit = {});
  ~RpcAgent();

  // Why it could not start; OK if it did.
  const absl::Status& status() const { return status_; }
  // "unix:PATH" first, then those of `listen`.
  const std::vector<std::string>& addresses() const { return server_->addresses(); }
  const std::string& directory() const { return directory_; }
  std::shared_ptr<grpc::Channel> Connect() const;
  void Drain();

  // Runs `what` on the loop thread and waits for it.
  void OnLoop(const std::function<void()>& what);

  FakeShims& shims() { return shims_; }
  FakeClock& clock() { return fake_clock_; }
  Supervisor& supervisor() { return *supervisor_; }
  Server& server() { return *server_; }
  const Edge& edge() const { return edge_; }
  // Of calls that begin from now on.
  void SetIdleCallLimit(absl::Duration limit) {
    OnLoop([this, limit] { edge_.idle_call_limit = limit; });
  }
  OpenCalls& calls() { return calls_; }
  FakeAuditSink& audit_sink() { return *audit_sink_; }
  // Every line of the audit so far.
  std::vector<std::string> AuditLines();

  // Writes to a process's stream as its shim would: the file, then the report.
  void Write(const std::string& id, int stream, const std::string& bytes);
  // The time index of a process, as its shim would have written it.
  void WriteIndex(const std::string& id, const std::vector<record::IndexRow>& rows);

 private:
  void SetEdge(const AuditOptions& audit);
  void RunLoop();

  std::string directory_;
  FakeClock fake_clock_;
  SystemClock clock_;
  CrashPoint crash_;
  FakeShims shims_{&fake_clock_, &crash_};
  FakePeers peers_;
  FakeOutputFiles files_;
  FakeStore store_{&crash_};
  CallQuota quota_{
      Quotas{.streams = 32, .wide_streams = 16, .waits = 8, .uploads = 4, .inputs = 32}};
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<FairQueue> turns_;
  std::unique_ptr<LoopScheduler> scheduler_;
  std::unique_ptr<FakeInputRings> inputs_;
  std::unique_ptr<Slices> slices_;
  std::unique_ptr<BlobStore> blobs_;
  FairQueue blob_turns_{
      [this](FairQueue::Closure closure) { blob_thread_->Run(std::move(closure)); }};
  std::unique_ptr<HelperThread> blob_thread_ = std::make_unique<HelperThread>();
  std::unique_ptr<SystemProcessFiles> process_files_;
  std::unique_ptr<Supervisor> supervisor_;
  OpenCalls calls_;
  FakeAuditSink* audit_sink_ = nullptr;  // the log's
  std::unique_ptr<AuditLog> audit_log_;
  std::unique_ptr<Auditor> auditor_;
  Callers callers_;
  Edge edge_;
  HelperThread helper_;
  OutputThread output_thread_;
  UniqueFd output_directory_;
  absl::Status status_;
  std::unique_ptr<Server> server_;
  std::thread loop_thread_;
};

// A call's context with the one generous deadline.
std::unique_ptr<grpc::ClientContext> NewContext();

v1::SpawnRequest SpawnRequestOf(const std::vector<std::string>& argv);

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_RPC_AGENT_RPC_AGENT_H_
