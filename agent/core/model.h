// The nouns of the agent: what it knows of a process and of a session.
//
// Ownership:     plain data. ProcessTable and SessionTable own the entries; everybody else sees
//                them by const reference, on the loop thread, for the length of a call.
// Thread-safety: loop thread only, but for Spec, which is constant once built and may be shared.
#ifndef SHOAL_AGENT_CORE_MODEL_H_
#define SHOAL_AGENT_CORE_MODEL_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/record/record_layout.h"

namespace shoal::agent {

enum class State { kPending, kStarting, kRunning, kStopping, kExited, kFailedToStart, kLost };
enum class Lifetime { kSession, kDetached };
enum class StartMethod { kSpawn, kForkserver, kFork };
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
};

using Labels = std::map<std::string, std::string>;

// A file that is put beside a process before it starts.
struct SpecFile {
  std::string path = {};    // relative, without "." and ".."
  std::string sha256 = {};  // 32 bytes; empty: the content came with the request
  bool executable = false;
  bool library = false;  // its directory goes in front of LD_LIBRARY_PATH
};

// Contents that came with a request, parallel to Spec::files; empty for blobs.
using InlineFiles = std::vector<std::string>;

// What to run, checked (see agent/rpc/spec_conversion.h): no NULs, within limits, defaults filled
// in.
struct Spec {
  std::vector<std::string> argv;
  std::vector<std::string> env;  // KEY=VALUE as given; the agent adds its own base environment
  std::string cwd;               // absolute; empty: the directory of `files`
  std::string name;              // as given; may be empty
  Lifetime lifetime = Lifetime::kSession;
  bool daemon = false;
  bool keep_descendants = false;
  bool merge_stderr = false;
  bool drop_oldest = false;
  bool result_stream = false;
  bool forbid_children = false;
  absl::Duration grace = absl::Seconds(5);
  std::optional<absl::Duration> time_limit;
  int64_t cap_bytes = record::kDefaultCapBytes;
  Labels labels;
  StartMethod start_method = StartMethod::kSpawn;
  std::string fork_of;  // with kFork: name or id
  std::optional<absl::Duration> fork_wait;
  std::vector<SpecFile> files;
  // The serialized shoal.v1.ProcessSpec, for replies and the store; without the contents of files.
  std::string wire;

  // The process writes to this stream (0 stdout, 1 stderr, 2 result) by a pipe of its own.
  bool HasStream(int stream) const {
    return stream == 0 || (stream == 1 ? !merge_stderr : result_stream);
  }
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
};

struct Termination {
  std::string requested_by;
  Cause cause = Cause::kNone;
  absl::Time request_time;
  int signal = 0;
  absl::Duration grace;
  std::optional<absl::Time> kill_time;
};

struct SignalEvent {
  int signal = 0;
  std::string requested_by;
  absl::Time time;
};

inline constexpr size_t kMaxSignalEvents = 16;

// What makes a process a template; see agent/core/templates.h.
struct TemplateFacts {
  std::string key;      // Program::key
  std::string version;  // Program::version when it was started
  absl::Duration idle_timeout;
  int64_t forks = 0;
  absl::Time last_use;
};

struct ProcessEntry {
  // Constant after construction.
  std::string id;
  std::string name;
  std::shared_ptr<const Spec> spec;  // shared by the ranks of one batch
  std::optional<int> rank;
  // Not stored, needed only to start: SHOAL_RANK=… of this rank, and what came with the request.
  std::vector<std::string> rank_env;
  std::shared_ptr<const InlineFiles> inline_files;
  std::string owner;
  std::string request_id;
  int request_index = 0;    // position within a SpawnBatch
  std::string fingerprint;  // SHA-256 of the request, to tell a retry from a reused request_id
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
  std::optional<Exit> exit;
  std::optional<StartFailure> start_failure;
  std::optional<Termination> termination;
  bool tree_empty = false;
  bool output_complete = false;
  std::array<record::StreamState, record::kStreams> streams{};
  int64_t segment_bytes = record::kDefaultSegmentBytes;
  uint32_t flags = 0;  // ProcessFlags
  std::vector<Survivor> survivors;
  std::vector<SignalEvent> signals;
  int64_t revision = 0;

  // The main process may still run.
  bool IsLive() const {
    return state == State::kPending || state == State::kStarting || state == State::kRunning ||
           state == State::kStopping;
  }
  // Nothing more will come of it; its name is free. LEAKED: its tree is unproven and will stay so.
  bool IsOver() const {
    return !IsLive() && output_complete && (tree_empty || (flags & kFlagLeaked) != 0);
  }
};

struct SessionEntry {
  std::string id;
  std::string name;
  std::string owner;
  std::string token;
  std::string request_id;
  absl::Duration ttl;
  absl::Time create_time;
  absl::Time renew_time;            // wall clock, for people
  absl::Duration expires_boottime;  // CLOCK_BOOTTIME; what counts
  bool over = false;                // closed or lapsed; kept until its processes are over
  bool expired = false;             // over because it lapsed
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_MODEL_H_
