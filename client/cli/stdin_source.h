// Our stdin as the input of processes.
//
// A terminal is read only while our process group is its foreground, so that `shoal run … &` takes
// nothing from the shell, and is not stopped; SIGTTIN is blocked (see Interrupts). A pipe may have other
// readers: what one of them has taken first is not waited for past Stop().
//
// Ownership:     the caller's; the descriptor stays its owner's.
// Thread-safety: Read() on one thread, the rest on any.
// Blocking:      Read().
// Errors:        what read(2) said.
#ifndef SHOAL_CLIENT_CLI_STDIN_SOURCE_H_
#define SHOAL_CLIENT_CLI_STDIN_SOURCE_H_

#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "common/unique_fd.h"
#include "shoal/input.h"

namespace shoal::cli {

// There is something to read, or may be: it is open, and not /dev/null.
bool IsInputGiven(int fd);

// False: the terminal at `fd` is the foreground's, which we are not.
bool IsForeground(int fd);

class StdinSource final : public InputSource {
 public:
  explicit StdinSource(int fd);

  absl::StatusOr<std::string> Read(size_t most) override;
  void Stop() override;
  // Puts /dev/null in the place of `fd`: who writes to it learns that nothing is read.
  void OnUnread() override;

  // We may be in the foreground by now: after SIGCONT.
  void LookAgain();

  // Called before a terminal is read, each time that we have come to its foreground. Before the
  // first Read().
  void SetOnForeground(std::function<void()> on_foreground) {
    on_foreground_ = std::move(on_foreground);
  }

 private:
  void Wake();

  const int fd_;
  const bool is_terminal_;
  // The same pipe, opened again without waiting, which leaves the one that we share with others as it is.
  // None: it is no pipe, or another user's.
  const UniqueFd again_;
  const UniqueFd wake_;  // eventfd
  std::string
      buffer_;  // of Read(); as it was before, since to clear it costs more than to read a pipe
  std::function<void()> on_foreground_ = [] {};
  std::atomic<bool> is_foreground_ = false;  // as far as was told
  std::atomic<bool> is_stopped_ = false;
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_STDIN_SOURCE_H_
