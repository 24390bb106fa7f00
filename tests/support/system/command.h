// Programs that a system test runs, with their output caught and one generous deadline.
//
// Ownership:     a RunningCommand owns its process; one that still runs when it goes is killed and
//                reaped, and the test fails.
// Thread-safety: as a plain object.
// Blocking:      Wait and WaitForOutput block, never past kDeadline; a passed deadline fails the
//                test with what was printed until then.
#ifndef SHOAL_TESTS_SUPPORT_SYSTEM_COMMAND_H_
#define SHOAL_TESTS_SUPPORT_SYSTEM_COMMAND_H_

#include <sys/types.h>

#include <map>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/unique_fd.h"

namespace shoal::testing {

// How long anything may take before the test gives up. Not a performance claim.
inline constexpr absl::Duration kDeadline = absl::Seconds(60);

struct CommandOptions {
  std::map<std::string, std::string> env;  // the whole environment
  std::string cwd = "/";
  std::vector<int> namespaces;  // descriptors of those to enter, in this order
  bool own_group = false;       // leads a process group of its own, as a shell's job does
  int stdin_fd = -1;            // its stdin; -1: /dev/null
  // A descriptor given under the same number; -1: none.
  int inherited = -1;
  // Where stdout and stderr go instead of being caught; empty: caught.
  std::string log_path;
};

struct CommandResult {
  int exit_code = -1;  // as a shell tells it: 128 + signal for a signal
  int signal = 0;      // that it died of
  std::string out;
  std::string err;
};

// For the messages of failed expectations.
std::ostream& operator<<(std::ostream& stream, const CommandResult& result);

class RunningCommand {
 public:
  RunningCommand(std::vector<std::string> argv, const CommandOptions& options);
  ~RunningCommand();
  RunningCommand(const RunningCommand&) = delete;
  RunningCommand& operator=(const RunningCommand&) = delete;

  pid_t pid() const { return pid_; }
  bool IsRunning() const { return pid_ > 0 && !reaped_; }
  void Signal(int signal_number) const;
  void SignalGroup(int signal_number) const;  // REQUIRES: own_group

  // Until it has ended and no process holds its stdout and stderr any more.
  CommandResult Wait();
  // Until `text` is in what it printed to stdout, or to stderr. False (and a failure): it ended
  // without, or the deadline passed.
  bool WaitForOutput(absl::string_view text);
  bool WaitForError(absl::string_view text);

 private:
  // Reads what there is, or reaps, or waits for one of both. False: nothing can come any more.
  bool Step(absl::Time deadline);
  bool ReadSome(UniqueFd& pipe, std::string& into);
  bool WaitForText(absl::string_view text, const std::string& in);
  std::string Describe() const;

  std::vector<std::string> argv_;
  pid_t pid_ = -1;
  UniqueFd pidfd_;
  UniqueFd out_pipe_;
  UniqueFd err_pipe_;
  bool reaped_ = false;
  bool timed_out_ = false;
  CommandResult result_;
};

// Runs to the end.
CommandResult RunProgram(std::vector<std::string> argv, const CommandOptions& options);

// What a failed start of a helper (ip, openssl) needs: runs it in the test's own environment and
// fails the test unless it ended with 0.
bool RunTool(std::vector<std::string> argv, std::vector<int> namespaces = {});

// Calls `condition` until it is true, for states that have no event to wait for (a directory
// entry, /proc). False (and a failure naming `what`): the deadline passed.
template <typename Condition>
bool WaitUntil(absl::string_view what, Condition condition);

namespace internal {
void Pause();
void FailWaiting(absl::string_view what);
absl::Time DeadlineFromNow();
bool IsPast(absl::Time deadline);
}  // namespace internal

template <typename Condition>
bool WaitUntil(absl::string_view what, Condition condition) {
  const absl::Time deadline = internal::DeadlineFromNow();
  while (!condition()) {
    if (internal::IsPast(deadline)) {
      internal::FailWaiting(what);
      return false;
    }
    internal::Pause();
  }
  return true;
}

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_SYSTEM_COMMAND_H_
