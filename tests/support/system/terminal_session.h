// A program at a terminal of its own: what it shows, and keys for it.
//
// Ownership:     owns terminal and process; one that still runs when it goes is killed and reaped,
//                and the test fails.
// Thread-safety: as a plain object.
// Blocking:      AwaitText and Wait, never past kDeadline; then the test fails with what was shown.
#ifndef SHOAL_TESTS_SUPPORT_SYSTEM_TERMINAL_SESSION_H_
#define SHOAL_TESTS_SUPPORT_SYSTEM_TERMINAL_SESSION_H_

#include <sys/types.h>
#include <termios.h>

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/unique_fd.h"
#include "tests/support/system/command.h"

namespace shoal::testing {

class TerminalSession {
 public:
  TerminalSession(std::vector<std::string> argv, const CommandOptions& options, int rows = 24,
                  int columns = 80);
  ~TerminalSession();
  TerminalSession(const TerminalSession&) = delete;
  TerminalSession& operator=(const TerminalSession&) = delete;

  void Type(absl::string_view keys);
  void Resize(int rows, int columns);
  // The program is told that its terminal is gone.
  void HangUp();
  // Waits until what was shown since the last call that found its text has this in it; forgets that
  // with all before it. False, and a failure, at the deadline.
  bool AwaitText(const std::string& text);
  // Until the program has ended: its exit code as a shell tells it. What it has shown stays.
  int Wait();
  // Everything that was shown.
  const std::string& shown() const { return shown_; }
  pid_t pid() const { return pid_; }
  termios modes() const;

 private:
  bool ReadSome(int timeout_ms);  // false: the program has closed its side

  UniqueFd master_, slave_;
  pid_t pid_ = -1;
  int status_ = -1;
  std::string shown_;
  size_t looked_ = 0;  // of shown_
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_SYSTEM_TERMINAL_SESSION_H_
