// The state of the agent and everything that may be done to it: what the services call.
//
// Ownership:     created by main with its ports, which outlive it. Owns all processes and sessions.
// Thread-safety: loop thread only; callbacks run on the loop thread, observers are called there.
// Blocking:      never blocks but for one posix_spawn per started process.
// Durability:    effects and callbacks wait for the commit of their loop turn: main calls
//                FinishTurn() once after the closures of a turn. No shim starts and no reply leaves
//                before.
// Errors:        callbacks get the codes of DESIGN §4; a failed commit fails the turn's requests
//                and undoes them.
#ifndef SHOAL_AGENT_CORE_SUPERVISOR_H_
#define SHOAL_AGENT_CORE_SUPERVISOR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "agent/core/model.h"
#include "agent/core/ports.h"
#include "agent/core/selector.h"

namespace shoal::agent {

struct SupervisorOptions {
  std::string boot_id;
  std::string host_name;
  std::vector<std::string> base_env;  // PATH, HOME, USER, SHELL of the agent's user
  std::vector<std::string> own_env;   // SHOAL_…=… of every process, whatever its spec says
  absl::Duration retention = absl::Hours(24);  // of ended processes
  size_t retention_count = 10'000;
  absl::Duration dead_man = absl::Minutes(10);  // beyond a session's TTL
  bool has_cgroup = false;
  // What a template is started with: `spec` made one of a process of its own that is told to be a
  // template, with these words.
  std::function<std::shared_ptr<const Spec>(const Spec& spec, const std::vector<std::string>& argv)>
      template_spec;
};

// One process to start.
struct SpawnItem {
  std::shared_ptr<const Spec> spec;
  std::optional<int> rank;
  std::vector<std::string> rank_env;
  std::shared_ptr<const InlineFiles> inline_files = nullptr;
};

struct SpawnCommand {
  std::string owner;
  std::string request_id;  // checked: a UUIDv7
  std::string fingerprint;
  std::string session_id;  // empty: DETACHED
  std::vector<SpawnItem> items;
};

// What became of one item. `process` is set if it exists (also when it failed to start), valid
// during the callback.
struct SpawnOutcome {
  absl::Status status;
  const ProcessEntry* process = nullptr;
};

enum class Until { kStarted, kExited, kOutputComplete, kEmpty };  // kStarted: or failed to

// What became of a bulk call for one process, valid during the callback.
struct Outcome {
  const ProcessEntry* process = nullptr;
  absl::Status status;
};

// A template that is wanted: whose, and for which program.
struct TemplateWish {
  std::string owner;
  std::shared_ptr<const Spec> spec;
  std::shared_ptr<const InlineFiles> inline_files;
  std::optional<absl::Duration> idle_timeout;  // absent: 5 min
};

struct TerminateCommand {
  std::string owner;
  Selector selector;
  int signal = 15;
  std::optional<absl::Duration> grace;
  std::optional<absl::Duration> timeout;
};

struct UpdateCommand {
  std::string owner;
  Selector selector;
  Labels set_labels;
  std::vector<std::string> remove_labels;
  bool detach = false;
  std::optional<absl::Duration> time_limit;  // zero removes
};

struct OpenSessionCommand {
  std::string owner;
  std::string request_id;
  std::string name;
  absl::Duration ttl = absl::Seconds(15);
};

struct SessionEnd {
  int terminated = 0;
  std::vector<std::string> survivor_ids;
};

// Sees every change, on the loop thread, after its commit. Must not call the supervisor back from
// within.
class ProcessObserver {
 public:
  virtual ~ProcessObserver() = default;
  // State, labels, flags or exit changed; process.revision is new.
  virtual void OnChanged(const ProcessEntry& process) = 0;
  virtual void OnDeleted(const std::string& id, int64_t revision) = 0;
  // Only output positions changed.
  virtual void OnOutput(const ProcessEntry& process) = 0;
  virtual void OnSessionOver(const std::string& session_id) = 0;
};

class Supervisor {
 public:
  Supervisor(SupervisorOptions options, Clock* clock, Scheduler* scheduler, Shims* shims,
             OutputFiles* output, ProcessFiles* files, Store* store);
  ~Supervisor();

  // Reads the store and the records, finds every shim again. Once, before anything else.
  absl::Status Recover();

  // Commits the turn, then carries out what waited for it: starts, tells, replies, observers.
  void FinishTurn();

  using SpawnCallback = absl::AnyInvocable<void(const std::vector<SpawnOutcome>&, bool replayed)>;
  // Calls back when every item has started or failed. Names, session and request_id are checked
  // here.
  void Spawn(SpawnCommand command, SpawnCallback done);

  using OutcomesCallback = absl::AnyInvocable<void(absl::StatusOr<std::vector<Outcome>>)>;
  void Signal(const std::string& owner, const std::string& request_id, const Selector& selector,
              int signal, SignalScope scope, OutcomesCallback done);
  void Terminate(TerminateCommand command, OutcomesCallback done);
  void Update(UpdateCommand command, OutcomesCallback done);
  void Delete(const Selector& selector, OutcomesCallback done);

  // Selected processes now; NOT_FOUND for a term that matches nothing.
  absl::StatusOr<std::vector<const ProcessEntry*>> Select(const Selector& selector) const;
  const ProcessEntry* Find(absl::string_view id) const;
  // In the order of ids, from the first above `after_id`; for paging.
  void ForEachFrom(const std::string& after_id,
                   absl::FunctionRef<bool(const ProcessEntry&)> visit) const;

  using WaitCallback =
      absl::AnyInvocable<void(absl::StatusOr<std::vector<const ProcessEntry*>>, bool timed_out)>;
  using WaitId = uint64_t;
  // Calls back once, also at the timeout. CancelWait drops it without a call.
  WaitId Wait(const Selector& selector, Until until, bool any, absl::Duration timeout,
              WaitCallback done);
  void CancelWait(WaitId wait);

  // Events after `revision`: changed processes as they are now, deleted ids. OUT_OF_RANGE: not kept
  // any more.
  struct Changes {
    std::vector<const ProcessEntry*> upserts;
    std::vector<std::pair<std::string, int64_t>> deleted;
  };
  absl::StatusOr<Changes> ChangesSince(int64_t revision) const;
  int64_t revision() const;
  void AddObserver(ProcessObserver* observer);
  void RemoveObserver(ProcessObserver* observer);

  // The owning reader has these bytes. Unknown or ended processes are passed over.
  void Acknowledge(const std::string& id, int stream, int64_t offset);

  void OpenSession(OpenSessionCommand command,
                   absl::AnyInvocable<void(absl::StatusOr<const SessionEntry*>)> done);
  // NOT_FOUND: over or unknown, PERMISSION_DENIED: wrong token. The answer is the TTL.
  absl::StatusOr<absl::Duration> KeepAlive(const std::string& session_id, const std::string& token);
  void CloseSession(const std::string& session_id, const std::string& token, bool forget,
                    std::optional<absl::Duration> grace, std::optional<absl::Duration> timeout,
                    absl::AnyInvocable<void(absl::StatusOr<SessionEnd>)> done);
  std::vector<const SessionEntry*> Sessions() const;  // living ones
  int LiveProcessesOf(const std::string& session_id) const;
  int live_processes() const;  // trees not over included, templates not

  // Starts the template unless there is one, and calls back once it is warm; see
  // agent/core/templates.h. FAILED_PRECONDITION names a blob that this host lacks.
  void CreateTemplate(const TemplateWish& wish,
                      absl::AnyInvocable<void(absl::StatusOr<const ProcessEntry*>)> done);
  std::vector<const ProcessEntry*> Templates() const;  // not over
  // NOT_FOUND for a term that fits no template.
  void DeleteTemplates(const std::string& owner, const std::vector<std::string>& terms,
                       OutcomesCallback done);
  bool OffersForks(const ProcessEntry& process) const;

  const std::string& agent_id() const;
  const std::string& boot_id() const;

 private:
  class Impl;

  absl::Status Send(ProcessEntry* process, const std::string& owner, int signal, SignalScope scope);
  absl::Status Apply(const UpdateCommand& command, ProcessEntry* process);

  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_SUPERVISOR_H_
