// The agent: its parts, and the order in which they start, stand on each other and end.
//
//  1. Prepare  directories, lock of the state directory, loop, files, records, database.
//  2. Recover  every process and session again, before a client can ask.
//  3. Serve    gRPC; then it is ready.
//  4. Run      until a signal, or idle for long enough; then it drains, and processes stay.
//
// Ownership:     of main, which makes one and ends by _exit: gRPC's threads outlive it.
// Thread-safety: main thread only.
// Blocking:      Prepare() and Recover() on the disk; Run() until the end.
// Errors:        Prepare(), Recover(), Serve(): the agent cannot start, and the message says why.
#ifndef SHOAL_AGENT_AGENT_H_
#define SHOAL_AGENT_AGENT_H_

#include <sys/resource.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "agent/core/supervisor.h"
#include "agent/log/audit_log.h"
#include "agent/log/stderr_log.h"
#include "agent/loop/event_loop.h"
#include "agent/os/blob_store.h"
#include "agent/os/helper_thread.h"
#include "agent/os/lock_file.h"
#include "agent/os/loop_scheduler.h"
#include "agent/os/system_clock.h"
#include "agent/os/system_input_rings.h"
#include "agent/os/system_peers.h"
#include "agent/os/system_process_files.h"
#include "agent/os/system_shims.h"
#include "agent/output/output_thread.h"
#include "agent/output/system_output_files.h"
#include "agent/readiness.h"
#include "agent/rpc/call_audit.h"
#include "agent/rpc/edge.h"
#include "agent/rpc/idle_watch.h"
#include "agent/rpc/server.h"
#include "agent/settings.h"
#include "agent/store/sqlite_store.h"

namespace shoal::agent {

class Agent {
 public:
  // How many threads one needs, gRPC's among them, with a few to spare.
  static int CountThreads();

  // `log` is flushed at the end.
  Agent(Settings settings, std::shared_ptr<StderrLog> log);

  absl::Status Prepare(int signal_fd);
  absl::Status Recover();
  absl::Status Serve();
  // Until a signal or the idle watch ends it.
  void Run(Readiness* readiness);

  const Settings& settings() const { return settings_; }
  std::string ReadyLine() const;

 private:
  // Started for a user, and ends once it is not needed.
  bool IsPrivate() const { return settings_.idle_exit > absl::ZeroDuration(); }
  absl::Status OpenDirectories();
  absl::Status OpenState();
  void OpenAudit();
  void FillEdge();
  HostInfo MakeHostInfo() const;
  void OnSignal(int signal, int pid);
  // SIGHUP: what TCP stands on is read again; processes and clients notice nothing.
  void Reload();
  void BeginDrain(const std::string& reason);
  [[noreturn]] void Leave();
  [[noreturn]] void LeaveNow();

  const Settings settings_;
  const std::shared_ptr<StderrLog> log_;
  const std::string host_name_;
  Readiness* readiness_ = nullptr;
  std::string boot_id_;
  rlim_t nofile_soft_ = 0;
  std::optional<LockFile> state_lock_;
  CallQuota quota_{Quotas()};  // outlives what closures of the loop give back
  std::unique_ptr<EventLoop> loop_;
  SystemClock clock_;
  SystemPeers peers_;
  std::optional<FairQueue> turns_;
  std::optional<LoopScheduler> scheduler_;
  std::optional<Slices> slices_;
  std::unique_ptr<AuditLog> audit_log_;
  std::optional<Auditor> auditor_;
  OpenCalls calls_;
  std::optional<Callers> callers_;
  Edge edge_;
  std::unique_ptr<HelperThread> helper_;
  std::unique_ptr<SystemOutputFiles> output_files_;
  std::unique_ptr<BlobStore> blobs_;
  std::optional<FairQueue> blob_turns_;  // outlives the thread, which may still run it
  std::unique_ptr<HelperThread> blob_thread_;
  std::unique_ptr<SystemProcessFiles> process_files_;
  std::unique_ptr<SystemInputRings> input_rings_;
  std::unique_ptr<SystemShims> shims_;
  std::unique_ptr<SqliteStore> store_;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<OutputThread> output_thread_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<IdleWatch> idle_watch_;
  bool is_draining_ = false;
  // There from the start: at the end no thread may be to be had.
  std::unique_ptr<HelperThread> drainer_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_AGENT_H_
