// The record: one fixed-size slot per process through which agent and shim speak, and which
// outlives both. Slots are in several files, each at the place of its number.
//
// Ownership:     the agent creates the files and hands out slots. Each half of a slot has exactly
//                one writer: AgentHalf the agent, ShimHalf the shim that holds the slot's lock.
// Thread-safety: plain data. A half is written whole by one pwrite; a reader that finds a wrong
//                checksum reads again (a write was in flight) and, if it stays wrong, treats the
//                half as damaged.
// Liveness:      an OFD write lock (fcntl(2) F_OFD_SETLK) on the bytes of the slot. The agent opens
//                the file anew, takes the lock, starts the shim with that descriptor and closes its
//                own: locked = a shim is running or being started; unlocked without kFinal = no
//                shim will ever run. Slot 0 of each file is its header, whose lock is the agent
//                lock: held = an agent serves this file.
// Versions:      see half_format.h, which seals halves and reads those of other versions. Fields
//                are appended to a half, never moved, resized or given another meaning; what cannot
//                be said so raises kOldestReader.
//
// Included by the shim, which has no standard library: C headers only.
#ifndef SHOAL_AGENT_RECORD_RECORD_LAYOUT_H_
#define SHOAL_AGENT_RECORD_RECORD_LAYOUT_H_

#include <stddef.h>
#include <stdint.h>

#include "agent/record/streams.h"
#include "shoal/v1/fork_protocol.h"

namespace shoal::record {

inline constexpr uint32_t kRecordMagic = 0x4c414f53;  // "SOAL", little endian
#ifndef SHOAL_RECORD_VERSION                          // tests build a shim of the next version
#define SHOAL_RECORD_VERSION 5
#endif
inline constexpr uint32_t kRecordVersion = SHOAL_RECORD_VERSION;
inline constexpr uint32_t kOldestReader = 3;  // the oldest version that can read what we write
inline constexpr size_t kSlotBytes = 1024;
inline constexpr size_t kAgentAreaBytes = 384;
inline constexpr size_t kShimAreaBytes = kSlotBytes - kAgentAreaBytes;
inline constexpr size_t kIdBytes = 16;
inline constexpr size_t kBootIdBytes = 16;
inline constexpr int kMaxSurvivors = 8;
inline constexpr size_t kMaxAskerBytes = 68;

// Descriptors that a shim is started with. All others are closed. 0 and 1 are /dev/null; 2 is where
// it may say why it cannot go on. Those of an adopting shim have pipes besides: see
// fork_protocol.h.
inline constexpr int kRecordFd = fork_protocol::kRecordFd;  // the record file, own open file
                                                            // description, holds the slot's lock
inline constexpr int kReportFd = fork_protocol::kReportFd;  // the FIFO, O_RDWR | O_NONBLOCK
inline constexpr int kOutputFd = fork_protocol::kOutputFd;  // directory of the output files
inline constexpr int kCgroupFd = fork_protocol::kCgroupFd;  // directory of the process's cgroup v2;
                                                            // absent if kNoCgroup is set
inline constexpr int kPayloadFd = 7;  // what to execute, if kHasPayload is set: see fork_protocol.h

// argv of a shim: {"shoal-shim", decimal slot number, id of the process, its name}, the name only
// where no word of the process is in it; its environment is empty. All users of the host can read
// the one, and `pgrep -f` with a word of the process must not find its shim. An adopting shim has
// {"shoal-shim", decimal slot number, "--adopt", PID of the process}. Without kHasPayload, that is
// from an agent of 0.1, argv is {"shoal-shim", decimal slot number, argv of the process…}, and the
// environment the process's.
inline constexpr int kShimArgs = 2;

enum AgentFlags : uint32_t {
  kKeepDescendants = 1u << 0,
  kMergeStderr = 1u << 1,
  kDropOldest = 1u << 2,  // at the cap; else the writer waits
  kNoCgroup = 1u << 3,
  kResultStream = 1u << 4,    // descriptor 3 of the process is the pipe of kResult
  kForbidChildren = 1u << 5,  // see common/forbid_children.h
  kHasPayload = 1u << 6,      // arguments, environment and directory are in the file at kPayloadFd
  // The process was deleted: once its tree is empty, what is not in the files is dropped. A shim that
  // does not know the flag waits until it can be written.
  kDropRest = 1u << 7,
  // 1u << 13 is kStay of orders.h; 1u << 8 was.
  kInputEnded = 1u << 9,   // nothing comes behind input_end
  kWatchInput = 1u << 10,  // a caller waits for input to be taken: the shim looks every 50 ms
  kTerminal =
      1u << 11,  // stdin, stdout and stderr of the process are a terminal; kStdout is what it shows
  // It runs in its cgroup or not at all: see AgentHalf.beside.
  kNeedsCgroup = 1u << 12,
};

// Whether a process with these AgentFlags writes to `stream` by a pipe of its own, or by its terminal.
constexpr bool HasStream(uint32_t agent_flags, int stream) {
  if (stream == kStderr) return (agent_flags & (kMergeStderr | kTerminal)) == 0;
  return stream != kResult || (agent_flags & kResultStream) != 0;
}

// Why an end is wanted; also what the shim says it acted upon.
enum class EndCause : uint32_t {
  kNone = 0,
  kRequested = 1,  // Terminate; the agent knows the caller
  kTimeLimit = 2,  // found by the shim
  kSessionClosed = 3,
  kSessionExpired = 4,
  kDeadMan = 5,      // found by the shim
  kDescendants = 6,  // the main process ended, its descendants had their grace; found by the shim
};

// The beginning of both halves and of the header, in version 3 and all that follow: an agent that
// cannot read a half knows by it which process the half belongs to. Never changes.
struct Prefix {
  uint32_t magic;
  uint32_t version;   // of the writer
  uint32_t checksum;  // FNV-1a over `size` bytes of the half with this field 0
  uint32_t sequence;  // grows with each write
  char id[kIdBytes];  // not terminated. In the shim's half copied from the agent's: a half that an
                      // earlier user of the slot has left has another
  uint8_t boot_id[kBootIdBytes];
  uint32_t size;           // of the half, this prefix included
  uint32_t oldest_reader;  // the oldest version that can read the half
};
static_assert(sizeof(Prefix) == 56);

// Desired state. The shim reads it at start, at each SIGUSR1, before it acts upon a deadline
// (renewing dead_man_ns needs no signal) and when it comes to a cap. With a terminate_serial at
// start nothing is run: kStartFailed with {kSetup, ECANCELED}.
struct AgentHalf {
  Prefix prefix;
  uint32_t flags;             // AgentFlags
  uint32_t terminate_serial;  // 0 = no end wanted; a new request has a higher one
  EndCause terminate_cause;
  int32_t terminate_signal;
  int64_t terminate_grace_ns;  // from the moment the shim reads it
  int64_t grace_ns;            // the spec's: for time limit, dead-man time and descendants
  int64_t time_limit_ns;       // CLOCK_BOOTTIME instant; 0 = none
  int64_t limit_from_exec_ns;  // a span, counted by the shim from execve on; 0 = none. The earlier
                               // of both holds
  int64_t dead_man_ns;         // CLOCK_BOOTTIME instant; 0 = none
  int64_t cap_bytes;           // per stream
  int64_t segment_bytes;       // size of an output file; constant for the life of the process
  int64_t acknowledged[kStreams];
  uint64_t nofile_soft;  // soft RLIMIT_NOFILE of the process (the agent raised its own); 0 = as
                         // inherited
  // CLOCK_BOOTTIME just before the shim was started, not changed later; 0 = not told. Spares the
  // shim 16 us to learn its own start time from /proc.
  int64_t spawn_began_ns;
  char cwd_in_argv;  // 1, of an agent of 0.1: the argument after the slot number is the working
                     // directory
  char pad[7];
  // The first end that was asked for, its cause apart, which is terminate_cause: for an agent that
  // is started after one that could not store it. end_asked_ns 0 = none, or not told.
  int64_t end_asked_ns;  // CLOCK_REALTIME
  int64_t end_asked_grace_ns;
  int32_t end_asked_signal;
  char end_asked_by[kMaxAskerBytes];  // the caller's identity, NUL behind it; a longer one is cut
  // Input, by absolute offset: byte N is at N % input_window of the ring, "<id>.in" in the output
  // directory, which the shim makes before the start. The agent writes the bytes first, then
  // input_end, which alone counts; space is used again behind input_fed. Version 5, as the next
  // three.
  int64_t input_window;     // bytes of the ring; 0: the process reads /dev/null
  int64_t input_end;        // one past the newest byte in the ring
  uint64_t input_writer;    // digest of the name of the writer of the newest byte
  int64_t input_writer_at;  // where that one's bytes begin
  // Of the terminal, with kTerminal; version 5. A newer serial has another size.
  uint16_t terminal_rows;
  uint16_t terminal_columns;
  uint32_t terminal_serial;
  // Id of the process in whose cgroup the directory of this one is; empty: in none. Version 5.
  char beside[kIdBytes];
};

// Stages of a start, in order. kStageNone with an errno cannot be.
enum class Stage : uint32_t {
  kNone = 0,
  kSetup = 1,  // the shim itself: record, signalfd, epoll
  kPipe = 2,
  kFork = 3,  // clone3
  kChdir = 4,
  kExec = 5,  // execve
  // The process itself, between chdir and execve: forbid_children. ECANCELED: it died before it came to execve.
  kProcess = 6,
  kInput = 7,  // the ring of its input, or its file
  kTerminal = 8,
};

enum ShimFlags : uint32_t {
  kStarted = 1u << 0,         // execve succeeded
  kStartFailed = 1u << 1,     // see fail_stage, fail_errno
  kExited = 1u << 2,          // wait_status and usage are valid
  kOutputComplete = 1u << 3,  // every byte the tree wrote is in the files
  kEmpty = 1u << 4,           // no descendant: ECHILD and, with a cgroup, populated 0
  kFinal = 1u << 5,           // nothing more will be written; the shim exits
  kEscalated = 1u << 6,       // SIGKILL was sent after the grace
  kUnkillable = 1u << 7,      // survivors[] outlived SIGKILL by 2 s
  kOutputStalled = 1u << 8,
  kOutputDropped = 1u << 9,   // segments were removed; see StreamState.begin
  kCgroupRefused = 1u << 10,  // it runs outside its cgroup: emptiness is proven by reaping alone
  // The process was forked from another by its runtime: this shim is no descendant of whose child
  // it may seem, and its tree is not theirs.
  kAdopted = 1u << 11,
  kRestDropped = 1u << 12,  // as kDropRest asked for: kFinal comes without kOutputComplete
  // 1u << 13 and 14 are kStays and kIdle of orders.h.
  kInputDone = 1u << 15,    // all of the input was fed, and its end
  kInputClosed = 1u << 16,  // no reader of the input is left; what comes cannot be fed
  // The end of the input was wanted while its terminal was not in canonical mode, where there is none:
  // until the agent takes back kInputEnded.
  kInputEndRefused = 1u << 17,
};

struct StreamState {
  int64_t begin;  // oldest byte kept
  int64_t end;    // one past the newest byte in the files
};

struct Usage {
  int64_t user_ns;
  int64_t system_ns;
  int64_t max_rss_bytes;
  int64_t major_faults;
  int64_t minor_faults;
  int64_t voluntary_switches;
  int64_t involuntary_switches;
};

// A member of the tree, for people: its number may be another's by now.
struct Descendant {
  int32_t pid;
  char command[16];  // /proc/PID/comm, NUL behind it
};

// What is. Times are CLOCK_REALTIME nanoseconds, 0 = not yet.
struct ShimHalf {
  Prefix prefix;
  uint32_t flags;  // ShimFlags
  int32_t shim_pid;
  uint64_t shim_start_ticks;  // field 22 of /proc/PID/stat
  int32_t pid;                // main process, 0 before the fork
  Stage fail_stage;
  uint64_t start_ticks;
  int32_t fail_errno;
  int32_t wait_status;        // as wait4(2) gave it
  EndCause end_cause;         // the first end that the shim began, if any
  uint32_t terminate_serial;  // the last request that the shim has seen
  int64_t started_ns;
  int64_t end_began_ns;  // first signal of the end sent
  int64_t killed_ns;     // SIGKILL sent
  int64_t exited_ns;
  int64_t empty_ns;
  int32_t end_signal;      // first signal of the end
  int32_t survivor_count;  // may exceed kMaxSurvivors
  int32_t survivors[kMaxSurvivors];
  Usage usage;
  StreamState streams[kStreams];
  int32_t stall_errno;  // with kOutputStalled: of the write that failed; 0 = at the cap
  // What outlived the main process: as seen a second after the exit, and again when its end began.
  int32_t descendant_count;  // may exceed kMaxSurvivors; 0 = none was seen
  Descendant descendants[kMaxSurvivors];
  int64_t
      input_fed;  // one past the newest byte that was written to the pipe. Version 5, as the next
  int64_t
      input_taken;  // input_fed less what lay in the pipe when the shim last looked; of a terminal input_fed
  uint32_t terminal_serial;  // whose size the terminal has
  uint32_t pad;
};

inline constexpr size_t kAgentHalfOffset = 0;
inline constexpr size_t kShimHalfOffset = kAgentAreaBytes;
static_assert(sizeof(AgentHalf) <= kAgentAreaBytes - 8 && sizeof(ShimHalf) <= kShimAreaBytes);
static_assert(sizeof(AgentHalf) % 8 == 0 && sizeof(ShimHalf) % 8 == 0, "no padding at the end");

// The header, slot 0, has an agent half of which only the prefix counts (id: kHeaderId, boot id: of
// all that is in the file). That of the first file also has, where other slots have the shim's half,
// the path of the directory below which the cgroups of processes are, as text up to a NUL, empty if
// there is none; and in the last bytes of the agent's area the number of files.
inline constexpr char kHeaderId[kIdBytes + 1] = "SHOALRECORDFILE.";
inline constexpr size_t kFileCountOffset = kAgentAreaBytes - 8;  // uint32_t; 0 = not told
inline constexpr size_t kCgroupBaseOffset = kShimHalfOffset;

// What a shim writes into the FIFO after each change of its half. 16 bytes: below PIPE_BUF, so
// never torn.
struct Report {
  uint32_t slot;
  uint32_t flags;  // ShimFlags as of this change
  uint32_t shim_pid;
  uint32_t id_prefix;  // first four bytes of the id
};
static_assert(sizeof(Report) == 16);

// One row of the time index <id>.idx: bytes of `stream` from `offset` on were read at `time_ns`
// (CLOCK_REALTIME) or later. At most one per stream per 10 ms (20 ms from row 2^18 on, 40 from 2^19
// on, …: the index of a daemon stays small). A reader assumes a first row {stream, 0, started_ns}
// that is not written: a process that wrote in its first 10 ms only has no index. A full disk costs
// rows, never bytes.
struct IndexRow {
  uint64_t stream;
  int64_t offset;
  int64_t time_ns;
};
static_assert(sizeof(IndexRow) == 24);

// Output files in the output directory: "<id>.<0|1|2>.<start offset, 16 hex digits>", segment_bytes
// each but the last; "<id>.idx"; and "<id>.in", the ring of the input.
inline constexpr size_t kOutputNameBytes = kIdBytes + 1 + 1 + 1 + 16;

inline constexpr int64_t kDefaultCapBytes = int64_t{64} << 20;
inline constexpr int64_t kMinCapBytes = int64_t{64} << 10;
inline constexpr int64_t kDefaultSegmentBytes = int64_t{8} << 20;

inline constexpr int64_t kDefaultInputWindow = int64_t{4} << 20;
inline constexpr int64_t kMinInputWindow = int64_t{64} << 10;
inline constexpr int64_t kMaxInputWindow = int64_t{64} << 20;

// The segment size that goes with a cap: 8 MiB, and at least four segments to a cap.
inline constexpr int64_t SegmentBytesFor(int64_t cap_bytes) {
  int64_t quarter = cap_bytes / 4 & ~int64_t{4095};
  return quarter < kDefaultSegmentBytes ? quarter : kDefaultSegmentBytes;
}

// What wait4(2) packs into ShimHalf.wait_status.
inline constexpr bool HasExitCode(int wait_status) { return (wait_status & 0x7f) == 0; }
inline constexpr int ExitCodeOf(int wait_status) { return wait_status >> 8 & 0xff; }
inline constexpr int SignalOf(int wait_status) { return wait_status & 0x7f; }
inline constexpr bool DumpedCore(int wait_status) { return (wait_status & 0x80) != 0; }

}  // namespace shoal::record

#endif  // SHOAL_AGENT_RECORD_RECORD_LAYOUT_H_
