// Spawns: from a request to intents, and from their processes to its answer; never twice.
//
// Ownership:     owned by the supervisor; does not own the processes.
// Thread-safety: loop thread only.
// Blocking:      on the file system, to see which template a FORKSERVER process would come from.
// Errors:        callbacks get the codes of proto/README.md, "Errors"; a start that fails is the
//                state of its process, too.
// Story:         1 Spawn: a request seen before (RequestLog) is answered with what it did; else, or
//                for ranks that were never started, session and names are checked and the intents
//                saved (Admit) → 2 after the commit (ReplyAfterCommit): into the start queue
//                (Queue), by which they are launched (Launcher) or forked (Forks); a failed commit
//                undoes the intents → 3 the record says that execve succeeded or failed
//                (RecordReader) → 4 Reply, when that is so for every process of the request.
#ifndef SHOAL_AGENT_CORE_ADMISSION_H_
#define SHOAL_AGENT_CORE_ADMISSION_H_

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
  void Repeat(SpawnCommand command, const LoggedRequest& first, SpawnCallback done);
  // Starts what is not `known`. `permit`: in the session, if there is one.
  void SpawnRest(const Permit& permit, SpawnCommand command,
                 const std::vector<ProcessEntry*>& known, SpawnCallback done);
  // The command is refused, and each repeat of it will be.
  void RefuseForGood(const SpawnCommand& command, const absl::Status& status, SpawnCallback done);
  // The process was not started: a repeat of its request starts it.
  void Undo(const std::string& id);
  // Answers with `known` and `admitted`, once the latter are durable and all have started.
  void ReplyAfterCommit(SpawnCommand command, const std::vector<ProcessEntry*>& known,
                        const std::vector<ProcessEntry*>& admitted, SpawnCallback done);
  absl::StatusOr<Permit> AuthorizeInSession(const SpawnCommand& command) const;
  // `known` are the processes of an earlier try; what has one is passed over.
  absl::Status Check(const SpawnCommand& command, const std::vector<std::string>& names,
                     const std::vector<ProcessEntry*>& known) const;
  std::vector<std::string> NamesFor(const SpawnCommand& command,
                                    const std::vector<ProcessEntry*>& known);
  std::vector<ProcessEntry*> Admit(const Permit& permit, const SpawnCommand& command,
                                   const std::vector<std::string>& names,
                                   const std::vector<ProcessEntry*>& known);
  // Durable intents.
  void Queue(const std::vector<std::string>& ids);
  // Where a FORK comes from; empty if it is no FORK. PERMISSION_DENIED: from another owner's process.
  absl::StatusOr<std::string> ParentOf(const Permit& permit, const Spec& spec) const;
  void ReplyWhenStarted(const std::vector<ProcessEntry*>& processes, bool replayed,
                        SpawnCallback done);
  void Reply(const std::vector<std::string>& ids, bool replayed, SpawnCallback& done);
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
