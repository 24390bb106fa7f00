// A command on some host, in the shape of Python's multiprocessing.Process.
//
// A Process belongs to this program: it is owned by a session that the library opens once per host
// and keeps alive, so that it ends when this program does, however that comes. At the end of the
// program (return from main, exit(), or EndProgram() if that is called before) the processes that
// are not daemons are joined, then the daemons are ended, then the sessions are closed.
// ProcessOptions.detached instead daemonizes in the Unix sense: such a process outlives this
// program and is neither joined nor ended.
//
// Ownership:     the caller's; holds its Host. Destroying it does not end the process.
// Thread-safety: thread-safe.
// Blocking:      Start, Join, Terminate, Kill and Close make a call to the agent, and say what they
//                wait for. The rest answers from what was last heard.
// Errors:        FAILED_PRECONDITION with a sentence where Python raises; else as the proto says.
#ifndef SHOAL_CLIENT_SHOAL_PROCESS_H_
#define SHOAL_CLIENT_SHOAL_PROCESS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "shoal/fleet.h"
#include "shoal/host.h"

namespace shoal {

struct ProcessOptions {
  // argv; command[0] is found as ProcessSpec.argv says.
  std::vector<std::string> command;
  // Empty: <program>-<number>, given by the agent and known after Start().
  std::string name;
  // Ended, not joined, at the end of this program.
  bool daemon = false;
  // Outlives this program. Not together with `daemon`.
  bool detached = false;
  // Where; null means this machine's agent. `slot` names a host, too; at most one of both.
  std::shared_ptr<Host> host;
  Slot slot;
  // KEY=VALUE. The environment of the caller is not sent.
  std::vector<std::string> env;
  // Absolute; empty means "/".
  std::string cwd;
  std::map<std::string, std::string> labels;
  absl::Duration grace = absl::Seconds(5);
  absl::Duration time_limit = absl::InfiniteDuration();
  bool merge_stderr = false;
  // Gets output as it comes, in order of offset per stream, on a thread of gRPC: must not block.
  // Set before Start(). Join() returns after its last call.
  std::function<void(v1::StreamKind stream, int64_t offset, absl::string_view data)> on_output;
};

class Process {
 public:
  explicit Process(ProcessOptions options);
  virtual ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // Starts it and returns once execve has succeeded. FAILED_PRECONDITION: it was started before, or
  // the kernel refused. ALREADY_EXISTS: the name is held.
  absl::Status Start();

  // Waits until it has ended and its output is complete: true; false if `timeout` passed before.
  // FAILED_PRECONDITION: not started, or closed. UNAVAILABLE: its host was not reached for a
  // minute.
  absl::StatusOr<bool> Join(absl::Duration timeout = absl::InfiniteDuration());

  // Asks the agent whether it runs. False before Start(), after the end, and if its host is not
  // reached.
  bool IsAlive();

  // The code, or −signal. Nothing while it lives, before Start(), and if the exit is unknown: see
  // info().
  std::optional<int> ExitCode();

  // 0 before Start().
  int Pid() const;
  // Given by the agent; empty before Start().
  std::string Id() const;
  std::string name() const;
  bool daemon() const;
  // FAILED_PRECONDITION: it was started.
  absl::Status set_daemon(bool daemon);
  absl::Status set_name(absl::string_view name);

  // SIGTERM, and SIGKILL after the grace; does not wait for the end. OK when it has ended already.
  absl::Status Terminate();
  // SIGKILL to the whole tree; does not wait for the end.
  absl::Status Kill();
  // Forgets the process and its output. FAILED_PRECONDITION: it still runs. Closed, it answers
  // FAILED_PRECONDITION to everything that asks the agent. Closing twice is OK.
  absl::Status Close();

  // Everything written to `stream` until now, as far as the agent keeps it. FAILED_PRECONDITION:
  // not started, or closed. DATA_LOSS: bytes were dropped; the message says which.
  absl::StatusOr<std::string> ReadOutput(v1::StreamKind stream = v1::STREAM_KIND_STDOUT);

  // All that was last heard of it.
  v1::Process info() const;

 private:
  class Rep;
  // Shared with the registry of this program's processes, which joins or ends it when the program
  // ends.
  const std::shared_ptr<Rep> rep_;
};

// Joins the non-daemonic processes of this program, ends the daemonic ones, closes the sessions.
// Called by exit() by itself; call it earlier to see what goes wrong. Afterwards Start() is
// FAILED_PRECONDITION. Blocking: as long as the processes that are joined run.
absl::Status EndProgram();

// Processes of this program that were started, are not detached, and have not been seen to end.
std::vector<v1::Process> ActiveChildren();

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_PROCESS_H_
