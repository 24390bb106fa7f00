// The state of the agent and everything that may be done to it: what the services call.
//
// Ownership:     created by main with its ports, which outlive it. Owns all processes and sessions.
// Thread-safety: loop thread only; callbacks run on the loop thread, observers are called there.
// Blocking:      the execve of a shim per started process; FinishTurn for one SQLite commit; a template
//                for a look at its program's file; small reads for the output of a process that
//                ended and to explain a failed start.
// Access:        what a caller asks for takes the Permit of Authorize, alone or in its command.
// Durability:    effects and callbacks wait for the commit of their loop turn: main calls
//                FinishTurn() once after the closures of a turn. No shim starts and no reply leaves
//                before.
// Errors:        callbacks get the codes of proto/README.md, "Errors"; a failed commit fails the
//                turn's requests and undoes them.
#ifndef SHOAL_AGENT_CORE_SUPERVISOR_H_
#define SHOAL_AGENT_CORE_SUPERVISOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/core/access.h"
#include "agent/core/commands.h"
#include "agent/core/model.h"
#include "agent/core/observers.h"
#include "agent/core/options.h"
#include "agent/core/ports.h"
#include "agent/core/selector.h"

namespace shoal::agent {

class Supervisor {
 public:
  Supervisor(SupervisorOptions options, const Ports& ports);
  ~Supervisor();

  // Reads the store and the records, finds every shim again. Once, before anything else.
  absl::Status Recover();

  // A line for each process that this agent leaves alone; see agent/core/unmanaged.h.
  std::vector<std::string> unmanaged() const;

  // Commits the turn, then carries out what waited for it: starts, tells, replies, observers.
  void FinishTurn();

  // Calls back when every item has started or failed. Names and session are checked here. What is
  // a LoggedCall is carried out once, see logged_request.h.
  void Spawn(SpawnCommand command, SpawnCallback done);

  void Signal(SignalCommand command, OutcomesCallback done);
  void Terminate(TerminateCommand command, OutcomesCallback done);
  void Update(UpdateCommand command, OutcomesCallback done);
  void Delete(DeleteCommand command, OutcomesCallback done);

  // Calls back with the selected processes, by id, valid during the callback; see Selecting. Not when
  // the answer is not wanted any more. NOT_FOUND for a term that matches nothing.
  void Select(const Permit& permit, const Selector& selector, IsWanted is_wanted,
              SelectCallback done);
  const ProcessEntry* Find(const Permit& permit, absl::string_view id) const;
  // What the caller has started by a Spawn of this request_id, in the order of the request.
  std::vector<const ProcessEntry*> OfRequest(const Permit& permit,
                                             const std::string& request_id) const;
  // In the order of ids, from the first above `after_id`; for paging.
  void ForEachFrom(const Permit& permit, const std::string& after_id,
                   absl::FunctionRef<bool(const ProcessEntry&)> visit) const;

  // Calls back once, also at the timeout. CancelWait drops it without a call.
  void Wait(const Permit& permit, const Selector& selector, Until until, bool any,
            absl::Duration timeout, std::shared_ptr<WaitTicket> ticket, WaitCallback done);
  void CancelWait(WaitTicket* ticket);

  // OUT_OF_RANGE: the events after `revision` are not kept any more.
  absl::StatusOr<Changes> ChangesSince(const Permit& permit, int64_t revision) const;
  int64_t revision() const;
  Observers& observers(const Permit& permit);

  // The owning reader has these bytes. Unknown or ended processes are passed over.
  // PERMISSION_DENIED: one of them is another owner's; nothing is acknowledged then.
  absl::Status Acknowledge(const Permit& permit, const std::vector<Acknowledgement>& positions);

  // Calls back once, also at the timeout; see agent/core/inputs.h. CancelInput drops it without a call;
  // what was kept stays.
  void WriteInput(WriteInputCommand command, std::shared_ptr<InputTicket> ticket,
                  InputCallback done);
  void CancelInput(InputTicket* ticket);
  // The process as it is then.
  absl::StatusOr<const ProcessEntry*> ResizeTerminal(const ResizeCommand& command);

  void OpenSession(OpenSessionCommand command, OpenCallback done);
  // NOT_FOUND: over or unknown, PERMISSION_DENIED: wrong token. The answer is the TTL.
  absl::StatusOr<absl::Duration> KeepAlive(const Permit& permit, const std::string& session_id,
                                           const std::string& token);
  void TakeOverSession(TakeoverCommand command, OpenCallback done);
  void CloseSession(CloseSessionCommand command, CloseCallback done);
  std::vector<const SessionEntry*> Sessions(const Permit& permit) const;  // living ones
  // In the order of ids, from the first above `after_id`.
  void ForEachSessionFrom(const Permit& permit, const std::string& after_id,
                          absl::FunctionRef<bool(const SessionEntry&)> visit) const;
  // It is there, and not over.
  bool IsSessionOpen(const Permit& permit, const std::string& id) const;
  int open_sessions() const;
  // Null: unknown. Also one that is over, until its processes are.
  const SessionEntry* FindSession(const Permit& permit, const std::string& id) const;
  int LiveProcessesOf(const std::string& session_id) const;
  int live_processes() const;  // trees not over included, templates not

  // Starts the template unless there is one, and calls back once it is warm; see
  // agent/core/templates.h. FAILED_PRECONDITION names a blob that this host lacks.
  void CreateTemplate(CreateTemplateCommand command, CreateCallback done);
  std::vector<const ProcessEntry*> Templates(const Permit& permit) const;  // not over, by id
  // See Templates::Leave.
  std::string LeaveTemplates(bool end);
  // NOT_FOUND for a term that fits no template.
  void DeleteTemplates(DeleteTemplatesCommand command, OutcomesCallback done);
  bool OffersForks(const ProcessEntry& process) const;

  const std::string& agent_id() const;
  const std::string& boot_id() const;

 private:
  class Impl;

  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_SUPERVISOR_H_
