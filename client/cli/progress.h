// What a command is busy with, as one line on the terminal where nothing else was said for 2 s: "shoal: ending 3
// processes on ant, 4 s". It goes before anything else is written, and with its Progress. Nothing of it is shown where
// stderr is no terminal or not ours at the moment, with -q, in raw mode, or behind text without a line break.
//
// Ownership:     the caller's, one at a time.
// Thread-safety: thread-safe.
// Blocking:      never blocks: a terminal that takes nothing now is left alone.
// Errors:        none.
#ifndef SHOAL_CLIENT_CLI_PROGRESS_H_
#define SHOAL_CLIENT_CLI_PROGRESS_H_

#include <string>
#include <thread>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/boot_time.h"

namespace shoal::cli {

class Progress {
 public:
  explicit Progress(std::string text);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Set(std::string text);

 private:
  void Draw();

  const BootTime begin_ = BootTime::Now();
  std::thread drawer_;  // none where nothing is ever shown
};

// Around each write to stdout or stderr: the line is gone, and stays away meanwhile.
class ProgressPause {
 public:
  ProgressPause(int fd, absl::string_view bytes);
  ~ProgressPause();
  ProgressPause(const ProgressPause&) = delete;
  ProgressPause& operator=(const ProgressPause&) = delete;

 private:
  const bool is_needed_;
};

// For ways out that pass no destructor.
void EraseProgress();

// The line, without what moves the cursor, in at most `columns`.
std::string ProgressText(absl::string_view text, absl::Duration elapsed, int columns);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_PROGRESS_H_
