// Spawns: from a request to running processes, never twice.
//
// Ownership:     by the supervisor. Thread-safety: loop thread only.
// Blocking:      one posix_spawn per process started; at most kStartsPerTurn of them in a turn.
// Story:         1 Spawn: a request seen before is answered with what it did; else, or for ranks
//                that a killed agent had not come to, session and names are checked and the
//                intents saved (Admit) → 2 after the commit (ReplyAfterCommit): queued
//                (Enqueue); a failed commit undoes the intents → 3 StartSome: where there are
//                files, they are put in their places first (PlaceFiles);
//                environment and desired state built, shim started (StartOne) → 4 the record says
//                that execve succeeded or failed (RecordReader) → 5 Reply, when that is so for
//                every process of the request.
// Forks:         step 3 of a FORKSERVER or FORK spawn first waits for its parent and for room among
//                what that has to do (Forks); the shim is started by the parent (LaunchFrom), and
//                everything else is the same.
#ifndef SHOAL_AGENT_CORE_LAUNCHER_H_
#define SHOAL_AGENT_CORE_LAUNCHER_H_

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/core.h"

namespace shoal::agent {

class Forks;
class Sessions;
class Templates;

class Launcher {
 public:
  Launcher(Core* core, Sessions* sessions, Templates* templates, Forks* forks)
      : core_(core), sessions_(sessions), templates_(templates), forks_(forks) {}

  void Spawn(SpawnCommand command, Supervisor::SpawnCallback done);

  // Starts a process whose intent is durable.
  void Start(const std::string& id) { Enqueue({id}); }

  // Starts a PENDING process by its parent.
  void LaunchFrom(ProcessEntry* process, const ForkParent& parent) { Launch(process, parent); }

  // A process that had started nothing when it was deleted must not be started again by a retry of
  // its request.
  void Bury(const ProcessEntry& process);
  void BurySignal(const std::string& owner, const std::string& request_id);
  bool IsBuried(const std::string& owner, const std::string& request_id) const {
    return buried_.contains({owner, request_id});
  }
  void Remember(const Tombstone& tombstone) {
    buried_[{tombstone.owner, tombstone.request_id}] = tombstone.time;
  }
  // A request_id from before `time` is refused as too old anyway.
  void ForgetBuriedBefore(absl::Time time);

 private:
  // Answers with `known` and `admitted`, once the latter are durable and all have started.
  void ReplyAfterCommit(SpawnCommand command, const std::vector<ProcessEntry*>& known,
                        const std::vector<ProcessEntry*>& admitted, Supervisor::SpawnCallback done);
  // `known` are the processes of an earlier try; what has one is passed over.
  absl::Status Check(const SpawnCommand& command, const std::vector<std::string>& names,
                     const std::vector<ProcessEntry*>& known) const;
  std::vector<std::string> NamesFor(const SpawnCommand& command,
                                    const std::vector<ProcessEntry*>& known);
  std::vector<ProcessEntry*> Admit(const SpawnCommand& command,
                                   const std::vector<std::string>& names,
                                   const std::vector<ProcessEntry*>& known);
  void Enqueue(const std::vector<std::string>& ids);
  void StartSome();
  // The process is in the queue again when its files are in their places.
  void PlaceFiles(ProcessEntry* process);
  void StartOne(ProcessEntry* process);
  void Launch(ProcessEntry* process, std::optional<ForkParent> parent);
  // Where a FORK comes from; empty if it is no FORK.
  absl::StatusOr<std::string> ParentOf(const Spec& spec) const;
  record::AgentHalf DesiredFor(const ProcessEntry& process) const;
  std::vector<std::string> EnvironmentFor(const ProcessEntry& process) const;
  void ReplyWhenStarted(const std::vector<ProcessEntry*>& processes, bool replayed,
                        Supervisor::SpawnCallback done);
  void Reply(const std::vector<std::string>& ids, bool replayed, Supervisor::SpawnCallback& done);
  static void Refuse(const SpawnCommand& command, const absl::Status& status,
                     Supervisor::SpawnCallback& done);

  Core* const core_;
  Sessions* const sessions_;
  Templates* const templates_;
  Forks* const forks_;
  std::deque<std::string> queue_;
  bool start_scheduled_ = false;
  std::set<std::string> placed_;  // ids whose files are in their places, in the queue
  std::map<std::pair<std::string, std::string>, absl::Time> buried_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_LAUNCHER_H_
