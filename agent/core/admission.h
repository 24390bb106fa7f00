// Spawns: from a request to intents, and from their processes to its answer; never twice.
//
// Ownership:     owned by the supervisor; does not own the processes.
// Thread-safety: loop thread only.
// Blocking:      on the file system, to see which template a FORKSERVER process would come from.
// Errors:        callbacks get the codes of proto/README.md, "Errors"; a start that fails is the
//                state of its process, too.
// Story:         1 Spawn: a request seen before (RequestLog) is answered with what it did; else, or
//                for ranks that were never started, session and names are checked and the intents
//                saved, in slices (Step: Check, Admit), each with its commit; until the last one the
//                row of the request is undecided, and repeats wait (RunningCalls) → 2 after the last
//                commit (OnCommitted): into the start queue (Queue), by which they are launched
//                (Launcher) or forked (Forks); a failed commit undoes the intents → 3 the record
//                says that execve succeeded or failed (RecordReader) → 4 Reply, when that is so for
//                every process of the request.
#ifndef SHOAL_AGENT_CORE_ADMISSION_H_
#define SHOAL_AGENT_CORE_ADMISSION_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/core.h"
#include "agent/core/forks.h"
#include "agent/core/launcher.h"
#include "agent/core/ports/process_files.h"
#include "agent/core/session_table.h"
#include "agent/core/start_queue.h"
#include "agent/core/templates.h"

namespace shoal::agent {

class Admission {
 public:
  Admission(Core* core, ProcessFiles* files, const SessionTable* sessions, StartQueue* queue,
            Launcher* launcher, Templates* templates, Forks* forks)
      : core_(core),
        files_(files),
        sessions_(sessions),
        queue_(queue),
        launcher_(launcher),
        templates_(templates),
        forks_(forks) {}

  void Spawn(SpawnCommand command, SpawnCallback done);

 private:
  struct Batch;

  void Repeat(SpawnCommand command, const LoggedRequest& first, SpawnCallback done);
  // Every item has its process already.
  void Replay(const SpawnCommand& command, const std::vector<ProcessEntry*>& known,
              SpawnCallback done);
  // Starts what is not `known`, processes of an earlier try. `permit`: in the session, if there is one.
  void SpawnRest(const Permit& permit, SpawnCommand command,
                 const std::vector<ProcessEntry*>& known, SpawnCallback done);
  bool Step(const std::shared_ptr<Batch>& batch);  // the next item; false: that was the last slice
  void OpenSlice(const std::shared_ptr<Batch>& batch);
  void OnCommitted(Batch* batch, const absl::Status& committed);
  void Abandon(Batch* batch);
  // The command is refused, and each repeat of it will be.
  void RefuseForGood(const SpawnCommand& command, const absl::Status& status, SpawnCallback done);
  // The process was not started: a repeat of its request starts it.
  void Undo(const std::string& id);
  // Answers with these processes, by index, once all have started.
  void Answer(const SpawnCommand& command, const std::vector<std::string>& ids, bool replayed,
              SpawnCallback done);
  absl::StatusOr<Permit> AuthorizeInSession(const SpawnCommand& command) const;
  std::string NameFor(Batch* batch, size_t index);
  // Items that have no process yet.
  static std::vector<const SpawnItem*> ToStart(const Batch& batch);
  absl::Status Check(Batch* batch, size_t index) const;
  absl::Status CheckAgain(const Batch& batch, size_t index) const;
  void Admit(Batch* batch, size_t index);
  // Where it would be forked from; empty if it is no fork, or that is not known yet.
  std::string ParentFor(Batch* batch, const SpawnItem& item);
  // Durable intents.
  void Queue(const Caller& caller, const std::vector<std::string>& ids);
  void ReplyWhenStarted(const LoggedCall& call, const std::vector<ProcessEntry*>& processes,
                        bool replayed, SpawnCallback done);
  void Reply(const LoggedCall& call, const HeldProcesses& awaited, bool replayed,
             SpawnCallback& done);
  void ForgetTransient(const LoggedCall& call, std::vector<std::string> ids);
  static void Refuse(const SpawnCommand& command, const absl::Status& status, SpawnCallback& done);

  Core* const core_;
  ProcessFiles* const files_;
  const SessionTable* const sessions_;
  StartQueue* const queue_;
  Launcher* const launcher_;
  Templates* const templates_;
  Forks* const forks_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_ADMISSION_H_
