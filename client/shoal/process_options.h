// What a Process is to be, besides what it runs.
//
// Ownership:     a value; shares its Host.
// Thread-safety: as a plain value.
#ifndef SHOAL_CLIENT_SHOAL_PROCESS_OPTIONS_H_
#define SHOAL_CLIENT_SHOAL_PROCESS_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "shoal/fleet.h"
#include "shoal/host.h"

namespace shoal {

// Where a process comes from.
enum class StartMethod {
  // A fresh image of the program, which inherits nothing but what is listed here.
  kSpawn,
  // Forked from a warm template of this program that the agent keeps: see init.h for what such a
  // program must do, and SHOAL_PRELOAD for what makes it warm.
  kForkServer,
  // Forked from the running process ProcessOptions.fork_of, with its memory as of now.
  kFork,
};

// Every member has an initializer, so that naming only some, as in {.slot = slot}, is no warning.
// The order is that of their use, and of designated initializers.
struct ProcessOptions {  // NOLINT(clang-analyzer-optin.performance.Padding)
  // argv; command[0] is found as ProcessSpec.argv says. Not together with a function or a subclass.
  std::vector<std::string> command{};
  // For Run() of a subclass: bytes, such as a serialized message. See Process::argument().
  std::string argument{};
  // Empty: for a command, and for what is detached, <program>-<number>, given by the agent and
  // known after Start(). For a function Process-1, Process-2, …, for a subclass its name instead of
  // "Process"; and in a child the child's own name before it: Process-1.1, Process-1.2, …
  std::string name{};
  // Of the start; made by Host::NewRequestId(), and written down before Start(), it is what another program finds the
  // process by (Process::AttachByRequest). Start() with one that has started a process finds that. Empty: a new one.
  std::string request_id{};
  // Ended, not joined, at the end of this program; may not start processes itself. Unset: as this
  // process is.
  std::optional<bool> daemon{};
  // Outlives this program. Not together with `daemon`.
  bool detached = false;
  // Where; null means this machine's agent. `slot` names a host, too; at most one of both.
  std::shared_ptr<Host> host{};
  Slot slot{};
  // Unset: as SetStartMethod() says; for a command kSpawn.
  std::optional<StartMethod> start_method{};
  // For kFork: name or id of a process there that offers itself (OfferForks).
  std::string fork_of{};
  // How long Start() waits for the offer of that process, or of a template of kForkServer, to be
  // forked. Unset: until 3 s after the start of that process, and 1 min for a template; one that
  // loads for longer is to be given its time.
  std::optional<absl::Duration> fork_wait{};
  // The kernel refuses it every fork; threads are allowed.
  bool forbid_children = false;
  // KEY=VALUE.
  std::vector<std::string> env{};
  // The environment of this program, secrets included, goes along; `env` wins.
  bool inherit_env = false;
  // Absolute; empty means "/".
  std::string cwd{};
  // The working directory of this program, of that name on the host. Not together with `cwd`.
  bool inherit_cwd = false;
  std::map<std::string, std::string> labels{};
  absl::Duration grace = absl::Seconds(5);
  absl::Duration time_limit = absl::InfiniteDuration();
  bool merge_stderr = false;
  // Its stdin is what Process::input() writes; else /dev/null, or `input_file`, a file of its host: absolute.
  bool input = false;
  std::string input_file{};
  // Gets output as it comes, in order of offset per stream, on a thread of gRPC: must not block,
  // since the output of other processes on that host may wait for it. Set before Start(). Join()
  // returns after its last call. None comes once the Process is destroyed, which waits for one
  // under way; or after one that threw, which Join() tells. It may call exit(), which ends the
  // processes of this program without joining them. An offset beyond the end of the last data is a
  // gap: the bytes between were dropped.
  std::function<void(v1::StreamKind stream, int64_t offset, absl::string_view data)> on_output{};
  // Without `on_output`: write its stdout and stderr to ours, line by line as they come. Unset: yes
  // for a function or subclass, as Python's children share the terminal; no for a command. What was
  // dropped of it is told on our stderr. What a function writes is read in any case, and the agent
  // drops what was read, in steps of 4 MiB. What a command writes is read for `on_output` or to be
  // forwarded only; else the agent keeps the last 64 MiB of a stream for ReadOutput().
  std::optional<bool> forward_output{};
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_PROCESS_OPTIONS_H_
