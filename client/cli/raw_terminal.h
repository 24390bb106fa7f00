// A terminal of ours in raw mode: each key is passed on as it is, Ctrl-C and Ctrl-Z too; unless we only watch.
//
// In the background, where the modes are another program's, nothing is set: TakeAgain() does it later.
//
// It gets its modes back when this goes, at exit(), before this program dies by a signal that it
// heeds (DieBySignal), and while it is stopped. After SIGKILL `stty sane` does it.
//
// Ownership:     the caller's; one at a time.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        FAILED_PRECONDITION and the like: it is no terminal, or cannot be set.
#ifndef SHOAL_CLIENT_CLI_RAW_TERMINAL_H_
#define SHOAL_CLIENT_CLI_RAW_TERMINAL_H_

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "shoal/v1/process.pb.h"

namespace shoal::cli {

class RawTerminal {
 public:
  enum class Mode {
    kRaw,
    // For one who only watches: keys are read one by one and not shown, but Ctrl-C and Ctrl-Z are signals to us.
    kWatching,
    kWatchingLines,  // the same, of what comes from no terminal: a line break returns to the first column
  };
  static absl::StatusOr<std::unique_ptr<RawTerminal>> Take(int fd, Mode mode = Mode::kRaw);
  ~RawTerminal();
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

  // After this program was continued, or has come to the foreground.
  void TakeAgain();
  // Whatever has it. For the ways out that pass no destructor.
  static void Restore();
  // A line break does not return to the first column by itself.
  static bool IsTaken();

 private:
  RawTerminal(int fd, Mode mode) : fd_(fd), mode_(mode) {}
  absl::Status Set();

  const int fd_;
  const Mode mode_;
};

// Rows and columns of the terminal at `fd`; nothing if it is none, or has no size.
std::optional<v1::TerminalSize> SizeOfTerminal(int fd);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_RAW_TERMINAL_H_
