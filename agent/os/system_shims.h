// Shims of the real system: record file, cgroups, spawner, fork socket, FIFO and pidfds put
// together.
//
// Ownership:     created by main; `loop` outlives it. Owns record file (and with it the agent
//                lock), FIFO and cgroup base, which it removes at its end unless a slot is in use.
// Thread-safety: loop thread only, or before the loop runs.
// Blocking:      Start until a shim executes; everything else a few system calls.
#ifndef SHOAL_AGENT_OS_SYSTEM_SHIMS_H_
#define SHOAL_AGENT_OS_SYSTEM_SHIMS_H_

#include <sys/resource.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "agent/core/ports/fork_offers.h"
#include "agent/core/ports/process_trees.h"
#include "agent/core/ports/programs.h"
#include "agent/core/ports/shim_slots.h"
#include "agent/loop/event_loop.h"
#include "agent/os/cgroup.h"
#include "agent/os/fork_socket.h"
#include "agent/os/paced_slots.h"
#include "agent/os/process_tree.h"
#include "agent/os/program_file.h"
#include "agent/os/records.h"
#include "agent/os/report_fifo.h"
#include "agent/os/shim_spawner.h"
#include "agent/os/shim_watch.h"
#include "agent/os/start_explanation.h"
#include "agent/os/start_packet.h"
#include "agent/os/warm_shims.h"

namespace shoal::agent {

struct SystemShimsOptions {
  std::string run_dir;
  std::string shim_path;
  std::string boot_id;
  int output_directory = -1;  // SystemOutputFiles::directory()
  std::string cgroup_base;    // of the user; empty: look for one
  std::string unique;         // something that only this state directory has, [a-z0-9]+
  rlim_t nofile_soft = 0;     // RaiseDescriptorLimit()
  std::string base_path;      // PATH of processes whose spec has none
  std::function<void(const std::string& line)> on_trouble{};  // for the log; may be empty
  RecordFile::Format record_format{};                         // of new processes
  size_t idle_shims = 0;  // at rest, if descriptors allow it; 0: each shim ends with its process
};

class SystemShims final : public ShimSlots,
                          public ForkOffers,
                          public Programs,
                          public ProcessTrees {
 public:
  // UNAVAILABLE: another agent serves the run directory. No cgroup is no error.
  static absl::StatusOr<std::unique_ptr<SystemShims>> Open(EventLoop* loop,
                                                           SystemShimsOptions options);
  ~SystemShims() override;

  // ShimSlots
  void SetShimEvents(ShimEvents* events) override { shim_events_ = events; }
  absl::StatusOr<int> Start(const ShimStart& start) override;
  void Tell(int slot, const std::string& id,
            absl::AnyInvocable<void(record::AgentHalf&) const> change, bool wake) override;
  ShimView Look(int slot, const std::string& id) override;
  std::vector<std::pair<int, std::string>> Recover() override;
  bool WereLost() const override { return records_->is_new(); }
  void Free(int slot, const std::string& id) override;

  // ForkOffers
  void SetOfferEvents(ForkOfferEvents* events) override { offer_events_ = events; }
  void AnswerOffer(const ForkParent& parent, const absl::Status& welcome) override {
    fork_socket_->Answer(parent, welcome);
  }

  // Programs
  absl::StatusOr<TemplateProgram> FindProgram(const Spec& spec) override {
    return FindProgramFile(spec, options_.base_path);
  }
  std::string Explain(const Spec& spec, record::Stage stage, int error_number) override {
    return ExplainStart(spec, options_.base_path, stage, error_number);
  }

  // ProcessTrees
  absl::Status Signal(const ProcessEntry& process, int signal, SignalScope scope) override;
  absl::StatusOr<std::vector<int>> Members(const ProcessEntry& process) override;
  std::vector<int> Orphans(const ProcessEntry& process) override;
  std::vector<Survivor> Describe(const std::vector<int>& pids) override;
  bool WasOutOfMemory(const std::string& id) override;
  void EndLostTree(const std::string& id, absl::AnyInvocable<void(absl::Status)> done) override;
  void AwaitEmptyTree(const std::string& id, absl::AnyInvocable<void(absl::Status)> done) override;

  // True if it is an adopting shim, which may seem to be below the shim of the template, but whose
  // tree is another. Its name alone is not believed; its record is.
  // All but those that keep what the process has elsewhere.
  absl::StatusOr<std::vector<int>> MembersToStop(const ProcessEntry& process);
  bool IsAdoptingShim(const ProcStat& stat) const;

  // Where processes offer themselves to be forked.
  std::string fork_socket_path() const { return options_.run_dir + "/forks.sock"; }

  bool has_cgroup() const { return cgroups_ != nullptr; }
  // How many wait for a process.
  size_t idle_shims() const { return warm_->idle(); }
  const CgroupBase* cgroups() const { return cgroups_.get(); }
  // Why there is none; OK if there is.
  const absl::Status& cgroup_status() const { return cgroup_status_; }

 private:
  SystemShims(EventLoop* loop, SystemShimsOptions options);
  absl::Status Prepare();
  void FindCgroupBase();
  // The directory for the process, or an invalid descriptor where it must do without.
  // FAILED_PRECONDITION: it has none, and needs one.
  absl::StatusOr<UniqueFd> MakeCgroup(const ShimStart& start);
  // Where the cgroup of the process is, as CgroupBase names it.
  std::string CgroupOf(const std::string& id) const;
  record::AgentHalf DesiredOf(const ShimStart& start, bool has_cgroup) const;
  void OpenWarmShims();
  // By an idle shim; nullopt: there is none that can be told.
  std::optional<int> StartWarm(const ShimStart& start);
  absl::Status Give(int slot, const ShimStart& start);
  absl::StatusOr<StartPacket> PacketOf(const ShimStart& start) const;
  bool SpawnIdle();
  void OnUntaken(int slot);
  // The shim has nothing more to do, and ends by itself; if it has not within a second, it is ended.
  void AwaitEnd(int slot);
  // A shim of an agent before this one: none of them gets a process any more.
  void RecoverIdle(int slot);
  bool IsInUse(int slot) const;
  bool MayReuse(int slot, const std::string& id) const;
  absl::StatusOr<int> StartIn(RecordFile::TakenSlot taken, const ShimStart& start);
  absl::Status AskForFork(RecordFile::TakenSlot taken, const ShimStart& start, UniqueFd cgroup);
  absl::Status OpenForkSocket();
  void OnForkFailed(const AskedFork& asked, const ForkFailure& failure, bool broken);
  void OnForked(const AskedFork& asked);
  bool IsOf(int slot, const std::string& id) const;
  void OnReports();
  void HandleReport(int slot);
  void OnShimGone(int slot);
  void RemoveCgroupSoon(const std::string& id);
  void RemoveCgroups();
  void RemoveCgroup(const std::string& id);
  void EndUnshimmed(const std::string& id);

  struct Use {
    std::string id;                        // empty: unreadable
    bool freed = false;                    // becomes free when its shim has ended
    std::optional<ForkFailure> refused{};  // counts only while no shim has written its half
    bool forked = false;                   // as reported by its parent
  };

  // Constant after construction.
  EventLoop* const loop_;
  const SystemShimsOptions options_;
  std::unique_ptr<Records> records_;
  std::unique_ptr<ReportFifo> fifo_;
  std::unique_ptr<ShimSpawner> spawner_;
  std::unique_ptr<CgroupBase> cgroups_;  // null: none is writable
  absl::Status cgroup_status_;

  // Loop thread only.
  std::unique_ptr<ShimWatch> watch_;
  absl::flat_hash_map<int, Use> uses_;
  std::unique_ptr<WarmShims> warm_;
  absl::flat_hash_set<std::string>
      cold_;  // ids whose idle shim has not taken them: no other one gets them
  absl::flat_hash_map<int, EventLoop::TimerId> awaited_ends_;
  std::vector<std::string> over_;      // ids whose cgroup goes after this turn
  EventLoop::TimerId removal_ = 0;     // 0: not armed
  std::deque<std::string> unremoved_;  // ids whose cgroup was still busy
  // By id, of processes that run beside others: the ids of those.
  absl::flat_hash_map<std::string, std::string> beside_;
  PacedSlots reported_;  // whose shims have reported
  // Those of recovered shims; one whose shim is gone, or another's by then, is woken in vain.
  PacedSlots unwoken_;
  std::unique_ptr<ForkSocket> fork_socket_;
  ShimEvents* shim_events_ = nullptr;        // null: nothing is reported
  ForkOfferEvents* offer_events_ = nullptr;  // the same
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_SYSTEM_SHIMS_H_
