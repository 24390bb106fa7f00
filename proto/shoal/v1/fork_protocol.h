// How a running process becomes a template: the protocol, version 1, between an agent and a process
// that offers itself to be forked.
//
// Use: by a runtime that wants its programs to be templates (FORKSERVER) or parents (FORK). There
// are two: client/shoal/fork_server.h in C++, and client/python/shoal_template.py. Nothing but this
// page is needed to write a third.
//
// THE OFFER. The process connects to the Unix socket SOCK_SEQPACKET named by the environment
// variable SHOAL_FORK_SOCKET and, within 10 s, sends the packet "offer 1" (the version). The kernel
// tells the agent its PID, and with it which of the agent's processes it is. The agent answers
// "welcome", or "refused TEXT" and closes. One packet is one message; words are separated by one
// space, TEXT goes to the end. When the connection breaks (the agent was restarted), connect and
// offer again, until the process ends; an agent forgets what it had asked of a connection that
// broke.
//
// A process that the agent started to be a template has SHOAL_TEMPLATE=1 in its environment: it
// offers itself once it is warm, before it looks at its arguments.
//
// THE FORK. For each process that it wants, the agent sends
//   fork NUMBER SLOT      NUMBER: for the answer; SLOT: the argument of the shim
// with descriptors (SCM_RIGHTS) in this order: payload, shim program, record, report, output
// directory, and, where the process gets a cgroup, its directory and that of the shims.
// The payload is a file to be read from its start: fields KEY=VALUE, each ended by a NUL byte, in
// any order but for the order among those of one key; an unknown key is passed over.
//   arg=WORD              argv of the new process, once per word; begins with the script where the
//                         program is an interpreter ("python3 -u run.py 7": run.py, 7)
//   env=KEY=VALUE         its whole environment, once per variable
//   cwd=PATH              absolute
//   nofile=N              soft RLIMIT_NOFILE; without: leave it
//   merge-stderr=1        stdout and stderr share one pipe
//   result=1              descriptor 3 is a pipe for the result
//   input=1               descriptor 0 is a pipe that the shim feeds
//   terminal=1            with input=1: descriptors 0 to 2 are a terminal, the controlling one of the
//                         process; the shim gets its master at kStdoutFd and its slave at kInputFd
//   rows=N, columns=N     with terminal=1: its size, before the process is forked
//   input-file=PATH       descriptor 0 is this file, opened for reading in the working directory
//   forbid-children=1     it must not fork: see common/forbid_children.h
//
// The process answers "forked NUMBER PID" once the shim was executed, or "failed NUMBER STAGE ERRNO
// TEXT" when nothing was started; STAGE is one of the words at kStage… below. A process with more
// than one thread must answer "failed NUMBER threads 0 it has COUNT threads": locks that another
// thread holds at the fork would never be released.
//
// WHO FORKS WHOM. The process T forks M, M forks F. F is the new process; M becomes its shim by
//   execve(SHIM, {"shoal-shim", SLOT, "--adopt", PID of F}, {})
// with an empty environment (that of F is not the shim's to show), the descriptors kRecordFd… below
// and no other, every signal blocked and SIGCHLD at its default. T must not become a parent that has to reap M: M is made with CLONE_PARENT, or T reaps
// it. M has a session of its own, and is a subreaper before it forks F (PR_SET_CHILD_SUBREAPER,
// which outlives execve): of a daemon that F makes at once it must be the parent. M and F are in
// the cgroup of F from before F runs anything of its own: M is cloned into it, or writes itself to
// its cgroup.procs; the shim leaves it by itself. M makes the pipes: stdout, stderr (unless
// merged), result and input (if wanted), and the start pipe. A runtime that does not know input=1
// makes none for it; the shim then ends F, with the reason. If M cannot execute the shim it kills and reaps
// F.
//
// WHAT F DOES before anything of its own, in this order: PR_SET_PDEATHSIG SIGKILL, and ends if M is
// no longer its parent; setsid; descriptors: 0 /dev/null or the pipe of the input, 1 and 2 (and 3)
// the pipes, those of this protocol closed, others of T stay; an empty signal mask, umask 022, the
// soft limit; chdir; the file of the input; the environment; forbid-children. Whatever fails it writes as a StartError to the start pipe and
// ends. Then it closes the start pipe, at whose end-of-file the process has started, and goes on as
// the new process. Its handlers of signals, its memory and its other descriptors are those of T.
//
// Included by the shim, by agent and client: C headers only.
#ifndef SHOAL_V1_FORK_PROTOCOL_H_
#define SHOAL_V1_FORK_PROTOCOL_H_

#include <stdint.h>

namespace shoal::fork_protocol {

inline constexpr int kVersion = 1;
inline constexpr char kSocketVariable[] = "SHOAL_FORK_SOCKET";
inline constexpr char kTemplateVariable[] = "SHOAL_TEMPLATE";
inline constexpr char kAdoptFlag[] = "--adopt";
// A packet is never longer; TEXT is cut.
inline constexpr int kMaxPacketBytes = 512;

// Descriptors of an adopting shim. 0 to 2 are /dev/null: T's pipes must see their end.
inline constexpr int kRecordFd = 3;
inline constexpr int kReportFd = 4;
inline constexpr int kOutputFd = 5;
inline constexpr int kCgroupFd = 6;       // only with a cgroup
inline constexpr int kStdoutFd = 7;       // read end
inline constexpr int kStderrFd = 8;       // read end; only if stderr is not merged
inline constexpr int kResultFd = 9;       // read end; only if a result is wanted
inline constexpr int kStartFd = 10;       // read end of the start pipe
inline constexpr int kShimCgroupFd = 11;  // only with a cgroup
inline constexpr int kInputFd = 12;       // write end; only if input is wanted; or see terminal=1

// Where the result goes in the process.
inline constexpr int kProcessResultFd = 3;

// Order of the descriptors that come with "fork".
enum Sent {
  kSentPayload,
  kSentShim,
  kSentRecord,
  kSentReport,
  kSentOutput,
  kSentWithoutCgroup,
  kSentCgroup = kSentWithoutCgroup,
  kSentShimCgroup,
  kSentWithCgroup
};

// What F writes to the start pipe, as two native 32-bit numbers.
struct StartError {
  // Stage of agent/record/record_layout.h: 2 pipe, 4 chdir, 6 setup of the process, 7 file of the input, 8 terminal
  uint32_t stage;
  int32_t error_number;
};

// STAGE of "failed".
inline constexpr char kStageThreads[] = "threads";
inline constexpr char kStageRequest[] = "request";  // the packet or payload made no sense
inline constexpr char kStagePipe[] = "pipe";
inline constexpr char kStageFork[] = "fork";
inline constexpr char kStageShim[] = "shim";  // execve of the shim

}  // namespace shoal::fork_protocol

#endif  // SHOAL_V1_FORK_PROTOCOL_H_
