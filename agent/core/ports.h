// What the state machine needs of the outside, as plain nouns; the system implements them in
// agent/os and agent/store, tests in tests/support.
//
// Thread-safety: loop thread only.
// Blocking:      as said at each method; nothing here waits for a process.
#ifndef SHOAL_AGENT_CORE_PORTS_H_
#define SHOAL_AGENT_CORE_PORTS_H_

#include <array>
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
#include "agent/core/model.h"
#include "agent/record/record_layout.h"

namespace shoal::agent {

// Time, injected.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() = 0;           // CLOCK_REALTIME
  virtual absl::Duration BootTime() = 0;  // CLOCK_BOOTTIME since boot
};

// A process that offers itself to be forked; see proto/shoal/v1/fork_protocol.h.
struct ForkParent {
  int pid = 0;
  uint64_t start_ticks = 0;  // with the pid: a reused one is nobody

  friend bool operator==(const ForkParent&, const ForkParent&) = default;
};

// Why a parent did not fork.
struct ForkFailure {
  std::string stage;  // one of fork_protocol::kStage…
  int error_number = 0;
  std::string text;
};

// Everything a shim is started with.
struct ShimStart {
  std::string id;
  std::vector<std::string> argv;
  std::vector<std::string> env;  // complete
  std::string cwd;
  record::AgentHalf
      desired{};  // flags, caps, limits; id, boot id, kNoCgroup and seal are filled in by Start
  std::optional<ForkParent> fork_from{};  // absent: a fresh image by execve
};

// What a slot says of its shim.
struct ShimView {
  bool locked = false;                     // a shim lives or will
  std::optional<record::AgentHalf> agent;  // absent when damaged, of another version or free
  std::optional<record::ShimHalf>
      shim;              // absent when damaged, not written yet, or left by an earlier user
  bool damaged = false;  // a half failed its checksum after re-reading
  std::optional<ForkFailure> refused;  // the parent did not fork, or broke off; `shim` is absent
  bool forked = false;  // the parent said that it has forked: the process ran, or runs
};

// A program as templates are told apart by it.
struct Program {
  std::string key;      // where it is: the resolved path, or the digest of what was shipped
  std::string version;  // what it is now; another one means that it was changed
  std::vector<std::string> argv;  // what a template of it is started with
};

enum class SignalScope { kProcess, kGroup, kTree };

// The shims of this host, by slot number.
class Shims {
 public:
  virtual ~Shims() = default;

  // Takes a free slot and its lock, writes the agent half, makes the cgroup, starts the shim, or
  // asks `fork_from` for it. Blocks for one posix_spawn (about 0.2 ms). The shim's death is
  // reported through the death handler, once; also when the parent did not fork, see
  // ShimView::refused. RESOURCE_EXHAUSTED (EAGAIN, ENOMEM, fds, cgroup limits), UNAVAILABLE (the
  // parent is gone): nothing is left behind.
  virtual absl::StatusOr<int> Start(const ShimStart& start) = 0;

  // Takes the offer of a process, or refuses it with the message of the status; also later, when
  // what the parent had not forked by then has failed.
  virtual void AnswerOffer(const ForkParent& /*parent*/, const absl::Status& /*welcome*/) {}

  // `on_offer`: to be answered. `on_withdrawn`: it offers itself no longer.
  virtual void SetOfferHandlers(
      absl::AnyInvocable<void(const ForkParent& parent)> /*on_offer*/,
      absl::AnyInvocable<void(const ForkParent& parent)> /*on_withdrawn*/) {}

  // NOT_FOUND: there is no such program. Looks at the file system.
  virtual absl::StatusOr<Program> FindProgram(const Spec& spec) {
    return Program{.key = spec.argv[0], .version = "", .argv = {spec.argv[0]}};
  }

  // Changes the agent half; `wake` sends SIGUSR1 so that the shim looks at once. Nothing happens if
  // the slot is no longer that of `id`.
  virtual void Tell(int slot, const std::string& id,
                    absl::AnyInvocable<void(record::AgentHalf&) const> change, bool wake) = 0;

  virtual ShimView Look(int slot, const std::string& id) = 0;

  // Every slot in use, at start: (slot, id). Watches the deaths of the shims that live.
  virtual std::vector<std::pair<int, std::string>> Recover() = 0;

  // The records were not there at this start: what ran before in this boot cannot be known.
  virtual bool WereLost() const { return false; }

  // What a person should know about a start that the kernel refused, such as "interpreter of '/x'
  // not found"; empty when errno says it all.
  virtual std::string Explain(const Spec& /*spec*/, record::Stage /*stage*/, int /*error_number*/) {
    return "";
  }

  // The slot's process is over and stored: removes its cgroup, makes the slot free.
  virtual void Free(int slot, const std::string& id) = 0;

  // Kills what is left of the tree of a lost shim by its cgroup. OK: the cgroup was seen empty
  // within 2 s and is removed (`done` runs later on the loop); FAILED_PRECONDITION: no cgroup,
  // nothing is proven.
  virtual void EndLostTree(const std::string& id, absl::AnyInvocable<void(absl::Status)> done) = 0;

  // To the main process (pid, start time checked, by pidfd), its group, or every member of the
  // tree. FAILED_PRECONDITION: it has exited.
  virtual absl::Status Signal(const ProcessEntry& process, int signal, SignalScope scope) = 0;

  // The kernel's word on whether memory ran out in the process's cgroup; false where it does not
  // say.
  virtual bool WasOutOfMemory(const std::string& id) = 0;

  // What survives, for people: /proc/PID/{comm,wchan}.
  virtual std::vector<Survivor> Describe(const std::vector<int>& pids) = 0;

  // Members of the tree now, main process included, by cgroup or by walking /proc.
  virtual std::vector<int> Members(const ProcessEntry& process) = 0;

  // `on_report(slot)`: the shim of the slot changed its half. `on_overflow`: reports were lost,
  // look at all. `on_death(slot, id)`: the shim is gone (its last words, if any, are in the
  // record).
  virtual void SetHandlers(absl::AnyInvocable<void(int slot)> on_report,
                           absl::AnyInvocable<void()> on_overflow,
                           absl::AnyInvocable<void(int slot, const std::string& id)> on_death) = 0;
};

// The files of output; see agent/record/record_layout.h for their names.
class OutputFiles {
 public:
  virtual ~OutputFiles() = default;
  // Up to the last `max_bytes` of a stream. Blocks on the disk; small.
  virtual std::string Tail(const std::string& id, int stream, const record::StreamState& state,
                           int64_t segment_bytes, size_t max_bytes) = 0;
  // Removes everything of `id`, on a helper thread.
  virtual void Remove(const std::string& id) = 0;
  // For recovery: removes files of ids that `keep` does not know, on a helper thread.
  virtual void RemoveAllBut(const std::vector<std::string>& keep) = 0;
  // For a lost shim: the ends of the streams by what is in the directory.
  virtual std::array<record::StreamState, record::kStreams> Measure(const std::string& id,
                                                                    int64_t segment_bytes) = 0;
};

// The files that processes are started with, each process's in a directory of its own.
class ProcessFiles {
 public:
  virtual ~ProcessFiles() = default;
  // FAILED_PRECONDITION names the first of the spec's blobs that this host lacks. What it has
  // counts as used now, so that it is still there when the process starts. Never blocks.
  virtual absl::Status Check(const Spec& spec) = 0;
  // Makes the directory of `id` and puts the files of `spec` there, on another thread; `done` runs
  // on the loop with what failed, if something did. Never blocks.
  virtual void Prepare(const std::string& id, std::shared_ptr<const Spec> spec,
                       std::shared_ptr<const InlineFiles> contents,
                       absl::AnyInvocable<void(std::optional<StartFailure>)> done) = 0;
  virtual std::string DirectoryOf(const std::string& id) const = 0;
  // Removes the directory of `id`, after a Prepare that is under way. Never blocks.
  virtual void Remove(const std::string& id) = 0;
  // For recovery: removes the directories of ids that `keep` does not know. Never blocks.
  virtual void RemoveAllBut(const std::vector<std::string>& keep) = 0;
};

// A request whose process was deleted; keeps a retry from starting it again.
struct Tombstone {
  std::string owner;
  std::string request_id;
  absl::Time time;
};

// Durable facts. Puts and deletes join the open transaction; nothing is durable before Commit.
class Store {
 public:
  struct Content {
    std::vector<ProcessEntry> processes;  // specs parsed; rank_env empty
    std::vector<SessionEntry> sessions;   // expires_boottime unset
    std::vector<Tombstone> tombstones;
    int64_t revision = 0;  // high-water mark
    std::string agent_id;  // made at the first start
  };
  virtual ~Store() = default;
  virtual absl::StatusOr<Content> Load() = 0;
  virtual void PutProcess(const ProcessEntry& process) = 0;
  virtual void DeleteProcess(const std::string& id) = 0;
  virtual void PutSession(const SessionEntry& session) = 0;
  virtual void DeleteSession(const std::string& id) = 0;
  virtual void PutTombstone(const Tombstone& tombstone) = 0;
  virtual void DeleteTombstonesBefore(absl::Time time) = 0;
  virtual void PutRevision(int64_t high_water_mark) = 0;
  virtual bool IsDirty() const = 0;
  // One transaction. On failure everything since the last Commit is dropped; RESOURCE_EXHAUSTED
  // (disk full) or UNAVAILABLE (I/O error, read-only).
  virtual absl::Status Commit() = 0;
};

// Runs closures on the loop thread later.
class Scheduler {
 public:
  using TimerId = uint64_t;
  virtual ~Scheduler() = default;
  // `delay` counts on CLOCK_BOOTTIME. Never runs the closure before returning.
  virtual TimerId After(absl::Duration delay, absl::AnyInvocable<void()> closure) = 0;
  virtual void Cancel(TimerId timer) = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_PORTS_H_
