// The requests to the core and their answers: the vocabulary that the services and the parts of the
// core share. Each command holds the permit of its caller; a logged one derives from LoggedCall, see
// request_log.h.
//
// Ownership:     plain data; a callback is called once, on the loop thread.
// Thread-safety: built on any thread, used on the loop thread.
// Blocking:      never blocks.
// Errors:        none of their own.
#ifndef SHOAL_AGENT_CORE_COMMANDS_H_
#define SHOAL_AGENT_CORE_COMMANDS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/core/access.h"
#include "agent/core/logged_request.h"
#include "agent/core/model.h"
#include "agent/core/ports/process_trees.h"
#include "agent/core/selector.h"

namespace shoal::agent {

// One process to start.
struct SpawnItem {
  std::shared_ptr<const Spec> spec;
  std::optional<int> rank;
  std::shared_ptr<const RankSet> ranks = nullptr;  // with `rank`
  std::shared_ptr<const InlineFiles> inline_files = nullptr;
};

struct SpawnCommand : LoggedCall {
  std::string session_id = {};     // empty: DETACHED
  std::string session_token = {};  // empty: the caller shows none
  std::vector<SpawnItem> items = {};
};

// The outcome of one item. `process` is set if it exists (also when it failed to start), valid
// during the callback.
struct SpawnOutcome {
  absl::Status status;
  const ProcessEntry* process = nullptr;
};

enum class Until { kStarted, kExited, kOutputComplete, kEmpty };  // kStarted: or failed to

// The outcome of a bulk call for one process, valid during the callback.
struct Outcome {
  const ProcessEntry* process = nullptr;  // null: deleted, or unknown since
  absl::Status status;
  std::string id = {};                                 // of the process, set if there is none
  std::shared_ptr<const ProcessEntry> gone = nullptr;  // `process`, if this call has deleted it
};

// A template that is wanted: its owner, and its program.
struct TemplateWish {
  std::string owner;
  std::shared_ptr<const Spec> spec;
  std::shared_ptr<const InlineFiles> inline_files;
  std::optional<absl::Duration> idle_timeout;  // absent: 5 min
};

struct TerminateCommand {
  Permit permit;
  Selector selector = {};
  IsWanted is_wanted = {};  // while it selects, as below
  int signal = 15;
  std::optional<absl::Duration> grace = {};
  std::optional<absl::Duration> timeout = {};
};

struct SignalCommand : LoggedCall {
  Selector selector = {};
  IsWanted is_wanted = {};
  int signal = 0;
  SignalScope scope = SignalScope::kProcess;
};

struct DeleteCommand : LoggedCall {
  Selector selector = {};
  IsWanted is_wanted = {};
};

struct CreateTemplateCommand : LoggedCall {
  TemplateWish wish = {};  // `owner` is set from the permit
};

struct DeleteTemplatesCommand : LoggedCall {
  std::vector<std::string> terms = {};
};

struct UpdateCommand : LoggedCall {
  Selector selector = {};
  IsWanted is_wanted = {};
  Labels set_labels = {};
  std::vector<std::string> remove_labels = {};
  bool detach = false;
  std::optional<absl::Duration> time_limit = {};  // zero removes
};

struct OpenSessionCommand : LoggedCall {
  std::string name = {};
  absl::Duration ttl = absl::Seconds(15);
};

// Gives a session of its owner a new token; see agent/core/takeovers.h.
struct TakeoverCommand : LoggedCall {
  std::string session_id = {};
  std::optional<absl::Duration> unrenewed_for = {};  // only if it was not renewed for so long
};

// Closes a session by its token; idempotent by state.
struct CloseSessionCommand {
  Permit permit;
  std::string session_id = {};
  std::string token = {};
  bool forget = false;  // its processes go with it, or their output alone: see forget_after
  std::optional<absl::Duration> grace = {};
  std::optional<absl::Duration> timeout = {};
  absl::Duration forget_after = {};  // of the close; with `forget`
  // What outlives those of Spec::keep_descendants that have ended is made DETACHED.
  bool keep_descendants = false;
};

enum class InputUntil { kKept, kFed, kTaken };

// Bytes for the input of one process; idempotent by offset. `data` is empty to learn how far it is, or
// to wait.
struct WriteInputCommand {
  Permit permit;
  std::string selector = {};
  int64_t offset = 0;
  std::string data = {};
  bool end = false;
  std::string writer = {};
  InputUntil until = InputUntil::kKept;
  absl::Duration timeout = absl::InfiniteDuration();
  std::optional<absl::Duration> hold = {};  // no other writer may write for so long
  bool steal = false;                       // whichever writer holds it
};

struct ResizeCommand {
  Permit permit;
  std::string selector = {};
  TerminalSize size = {};
};

// What writes to one process's input, from before it is begun, so that it can be given up at any time.
struct InputTicket {
  std::string process_id;  // empty: not begun
  bool is_cancelled = false;
};

struct InputAnswer {
  const ProcessEntry* process = nullptr;  // valid during the callback
  bool timed_out = false;
};

// Up to where the owner has read a stream.
struct Acknowledgement {
  std::string id;
  int stream = 0;
  int64_t offset = 0;
};

struct SessionEnd {
  int terminated = 0;
  std::vector<std::string> survivor_ids;
  std::vector<std::string> kept_ids;
};

// Events after a revision: changed processes as they are now, and deleted ids with the revisions of
// their deletion.
struct Changes {
  std::vector<const ProcessEntry*> upserts;
  std::vector<std::pair<std::string, int64_t>> deleted;
};

using WaitId = uint64_t;

// One wait of a caller, from before it is begun, so that it can be given up at any time.
struct WaitTicket {
  WaitId id = 0;
  bool is_cancelled = false;
};

using SelectCallback = absl::AnyInvocable<void(absl::StatusOr<std::vector<const ProcessEntry*>>)>;
using SpawnCallback = absl::AnyInvocable<void(const std::vector<SpawnOutcome>&, bool replayed)>;
using OutcomesCallback = absl::AnyInvocable<void(absl::StatusOr<std::vector<Outcome>>)>;
using WaitCallback = absl::AnyInvocable<void(absl::StatusOr<SharedProcesses>, bool timed_out)>;
using InputCallback = absl::AnyInvocable<void(absl::StatusOr<InputAnswer>)>;
using OpenCallback = absl::AnyInvocable<void(absl::StatusOr<const SessionEntry*>)>;
using CloseCallback = absl::AnyInvocable<void(absl::StatusOr<SessionEnd>)>;
using CreateCallback = absl::AnyInvocable<void(absl::StatusOr<const ProcessEntry*>)>;

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_COMMANDS_H_
