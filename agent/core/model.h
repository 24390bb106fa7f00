// The nouns of the agent: what it knows of a process and of a session.
//
// Ownership:     plain data. ProcessTable and Sessions own the entries; all other code sees them by
//                const reference, on the loop thread, for the length of a call.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_MODEL_H_
#define SHOAL_AGENT_CORE_MODEL_H_

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "agent/record/record_layout.h"
#include "agent/spec/rank_set.h"
#include "agent/spec/spec.h"

namespace shoal::agent {

enum class State { kPending, kStarting, kRunning, kStopping, kExited, kFailedToStart, kLost };
enum class Cause {
  kNone,
  kExited,
  kSignaled,
  kTerminated,
  kTimeLimit,
  kSessionClosed,
  kSessionExpired,
  kDeadMan,
  kOutOfMemory,
  kHostReboot,
  kShimLost,
  kRecordVersion,
  kLast = kRecordVersion,
};

enum ProcessFlags : uint32_t {
  kFlagOutputStalled = 1u << 0,
  kFlagShimStalled = 1u << 1,
  kFlagEscalated = 1u << 2,
  kFlagUnkillable = 1u << 3,
  kFlagLeaked = 1u << 4,
  kFlagOutputTruncated = 1u << 5,
  kFlagOutputDropped = 1u << 6,
  kFlagNoCgroup = 1u << 7,
  kFlagUnmanaged = 1u << 8,  // see agent/core/unmanaged.h
};

struct StartFailure {
  std::string stage;
  int error_number = 0;
  std::string message;
};

// The main process's end, exactly as the kernel told it; neither code nor signal when it is
// unknown.
struct Exit {
  std::optional<int> code;
  std::optional<int> signal;
  bool core_dumped = false;
  Cause cause = Cause::kNone;
  std::string requested_by;
  std::string unknown_detail;
  record::Usage usage{};
  std::string stderr_tail;
};

struct Survivor {
  int pid = 0;
  std::string command;
  std::string wait_channel;

  bool operator==(const Survivor&) const = default;
};

struct Termination {
  std::string requested_by;
  Cause cause = Cause::kNone;
  absl::Time request_time;
  int signal = 0;
  absl::Duration grace;
  std::optional<absl::Time> kill_time;
};

// What outlived the main process.
struct Descendants {
  std::vector<Survivor> members;  // the first of them, as last looked at
  int count = 0;
  int signal = 0;  // that they were sent; 0: none yet
  std::optional<absl::Time> signal_time, kill_time;

  bool operator==(const Descendants&) const = default;
};

// How far the input of a process is; see InputPosition of the proto. `kept` and what follows it is in the
// agent's half of the record, the rest in the shim's.
struct InputState {
  int64_t kept = 0;
  bool ended = false;
  uint64_t writer = 0;    // digest of the name of the writer of the newest byte
  int64_t writer_at = 0;  // where that one's bytes begin
  int64_t fed = 0;
  int64_t taken = 0;
  bool done = false;    // fed with its end
  bool closed = false;  // no reader is left
  // By its terminal, which is not in canonical mode; until the shim has seen that it was taken back. Not stored.
  bool end_refused = false;

  bool operator==(const InputState&) const = default;
};

// The size of a terminal, and the serial of the call that gave it; 0: the spec's.
struct TerminalSize {
  int rows = 0;
  int columns = 0;
  uint32_t serial = 0;
};

struct SignalEvent {
  int signal = 0;
  std::string requested_by;
  absl::Time time;
};

inline constexpr size_t kMaxSignalEvents = 16;

// What makes a process a template; see agent/core/templates.h.
struct TemplateFacts {
  std::string key;      // TemplateProgram::key
  std::string version;  // TemplateProgram::version when it was started
  absl::Duration idle_timeout;
  int64_t forks = 0;
  absl::Time last_use;
};

struct ProcessEntry : std::enable_shared_from_this<ProcessEntry> {
  // Constant after construction.
  std::string id;
  std::string name;
  std::shared_ptr<const Spec> spec;  // shared by the ranks of one batch
  std::optional<int> rank;
  // Not stored, needed only to start: what its rank is one of, and what came with the request.
  std::shared_ptr<const RankSet> ranks;
  std::shared_ptr<const InlineFiles> inline_files;
  // Not stored either, but in the record: what Update made of the time limit of the spec. CLOCK_BOOTTIME in
  // ns, 0 for no limit.
  std::optional<int64_t> deadline_ns;
  std::string owner;
  std::string request_id;
  int request_index = 0;    // position within a SpawnBatch
  std::string fingerprint;  // of the request, if an agent without a RequestLog started it
  std::string boot_id;
  absl::Time create_time;

  // Change with the process.
  std::string forked_from;  // id of its parent; empty for StartMethod::kSpawn
  std::optional<TemplateFacts> template_facts;
  std::string session_id;  // emptied when it becomes DETACHED
  Lifetime lifetime = Lifetime::kSession;
  Labels labels;
  State state = State::kPending;
  int pid = 0;
  uint64_t start_ticks = 0;
  int slot = 0;  // 0 = none
  std::optional<absl::Time> start_time, exit_time, empty_time;
  std::optional<absl::Time> forget_time;  // absent: the agent's retention decides
  std::optional<Exit> exit;
  std::optional<StartFailure> start_failure;
  std::optional<Termination> termination;
  std::optional<Descendants> descendants;
  bool tree_empty = false;
  bool output_complete = false;
  std::array<record::StreamState, record::kStreams> streams{};
  InputState input;       // with Spec::input_window
  TerminalSize terminal;  // with Spec::HasTerminal(); not stored
  int64_t segment_bytes = record::kDefaultSegmentBytes;
  uint32_t flags = 0;           // ProcessFlags
  int stall_errno = 0;          // why its output cannot be written, while that is so; not stored
  uint32_t record_version = 0;  // with kFlagUnmanaged: of its record; not stored
  std::vector<Survivor> survivors;
  std::vector<SignalEvent> signals;
  int64_t revision = 0;
  bool is_removed = false;  // by the table: a holder knows the process as it was

  // The main process may still run.
  bool IsLive() const {
    return state == State::kPending || state == State::kStarting || state == State::kRunning ||
           state == State::kStopping;
  }
  // This agent cannot read its record: it is shown and left alone.
  bool IsUnmanaged() const { return (flags & kFlagUnmanaged) != 0; }
  // Nothing is left to be ended, and its name is free. LEAKED: its tree is unproven and will stay
  // so. Its output may still wait for room.
  bool IsTreeOver() const { return !IsLive() && (tree_empty || (flags & kFlagLeaked) != 0); }
  // Nothing more will come of it.
  bool IsOver() const { return IsTreeOver() && output_complete; }
};

// Processes that work of later turns holds; some may have been removed from the table since.
using HeldProcesses = std::vector<std::shared_ptr<ProcessEntry>>;
using SharedProcesses = std::shared_ptr<const HeldProcesses>;

// The program at the other end of the Unix socket, as it was when it connected.
struct SocketPeer {
  int pid = 0;
  uint64_t start_ticks = 0;
  std::vector<std::string> process_ids;  // in whose trees it may run, likeliest first; not proven
};

// The program that opened a session over the Unix socket, as the kernel told of it.
struct Opener {
  int pid = 0;
  uint64_t start_ticks = 0;
  std::string boot_id;
  std::string process_id;  // of the process in whose tree it runs; empty: of none
};

// The last time that a session was given to another client of its owner.
struct Takeover {
  std::string by;  // the caller's name
  std::string request_id;
  absl::Time time;
};

// Of the tokens that no longer count the last are known: their holders are told why.
inline constexpr size_t kMaxFencedTokens = 16;

struct SessionEntry {
  std::string id;
  std::string name;
  std::string owner;
  std::string token;
  std::string request_id;  // of its Open, for an agent that finds it without its RequestLog
  std::optional<Opener> opener;
  absl::Duration ttl;
  absl::Time create_time;
  absl::Time renew_time;            // wall clock, for people
  absl::Duration expires_boottime;  // CLOCK_BOOTTIME; what counts
  bool over = false;                // closed or lapsed; kept until its processes are over
  bool expired = false;             // over because it lapsed
  std::optional<Takeover> takeover;
  std::vector<std::string> fenced_tokens;  // oldest first
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_MODEL_H_
