#include "client/cli/progress.h"

#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "client/cli/raw_terminal.h"
#include "client/cli/standard_output.h"
#include "client/cli/table.h"
#include "client/cli/units.h"
#include "common/escape.h"
#include "common/mutex.h"

namespace shoal::cli {
namespace {

constexpr absl::Duration kSilence = absl::Seconds(2);
constexpr absl::Duration kBetweenDraws = absl::Milliseconds(500);
constexpr absl::string_view kErase = "\r\033[K";

struct Screen {
  Mutex mu;
  std::string text ABSL_GUARDED_BY(mu);
  bool is_over ABSL_GUARDED_BY(mu) = true;
  bool is_shown ABSL_GUARDED_BY(mu) = false;
  bool is_line_begun ABSL_GUARDED_BY(mu) = false;  // by what others have written
  int writing ABSL_GUARDED_BY(mu) = 0;
  BootTime last_said ABSL_GUARDED_BY(mu);
};

// Never destroyed: threads of signals write until the end.
Screen& TheScreen() {
  static auto* const kScreen = new Screen;
  return *kScreen;
}

std::atomic<bool> has_progress = false;

bool IsOurs() {
  const pid_t front = tcgetpgrp(STDERR_FILENO);  // -1: not our controlling terminal
  return isatty(STDERR_FILENO) != 0 && (front < 0 || front == getpgrp()) && !RawTerminal::IsTaken();
}

// All of it at once or nothing: a terminal that was stopped by Ctrl-S has no room.
bool WriteIfRoom(absl::string_view bytes) {
  pollfd room = {STDERR_FILENO, POLLOUT, 0};
  if (poll(&room, 1, 0) != 1 || (room.revents & POLLOUT) == 0) return false;
  return write(STDERR_FILENO, bytes.data(), bytes.size()) >= 0;
}

void Erase(Screen& screen) ABSL_EXCLUSIVE_LOCKS_REQUIRED(screen.mu) {
  if (screen.is_shown && WriteIfRoom(kErase)) screen.is_shown = false;
}

}  // namespace

std::string ProgressText(absl::string_view text, absl::Duration elapsed, int columns) {
  const std::string line = absl::StrCat("shoal: ", EscapeForMessage(text, text.size()), ", ",
                                        FormatSpan(absl::Floor(elapsed, absl::Seconds(1))));
  // The last column is left free: some terminals begin a new line behind it.
  return CutToWidth(line, static_cast<size_t>(columns > 2 ? columns - 1 : 1));
}

Progress::Progress(std::string text) {
  if (IsQuiet() || isatty(STDERR_FILENO) == 0) return;
  {
    Screen& screen = TheScreen();
    MutexLock lock(&screen.mu);
    screen.text = std::move(text);
    screen.is_over = false;
    screen.last_said = BootTime::Now();
  }
  has_progress = true;
  try {
    drawer_ = std::thread([this] { Draw(); });
  } catch (const std::system_error&) {
    has_progress = false;  // no thread is to be had
  }
}

Progress::~Progress() {
  if (!drawer_.joinable()) return;
  {
    Screen& screen = TheScreen();
    MutexLock lock(&screen.mu);
    screen.is_over = true;
    Erase(screen);
  }
  drawer_.join();
  has_progress = false;
}

void Progress::Set(std::string text) {
  Screen& screen = TheScreen();
  MutexLock lock(&screen.mu);
  screen.text = std::move(text);
}

void Progress::Draw() {
  Screen& screen = TheScreen();
  MutexLock lock(&screen.mu);
  for (;;) {
    const auto is_over = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(screen.mu) { return screen.is_over; };
    if (screen.mu.AwaitWithTimeout(is_over, kBetweenDraws)) return;
    const BootTime now = BootTime::Now();
    if (screen.writing > 0 || screen.is_line_begun || now - screen.last_said < kSilence) continue;
    if (!IsOurs()) continue;
    const std::optional<v1::TerminalSize> size = SizeOfTerminal(STDERR_FILENO);
    const int columns = size.has_value() ? size->columns() : 80;
    const std::string line = ProgressText(screen.text, now - begin_, columns);
    screen.is_shown = WriteIfRoom(absl::StrCat(kErase, line)) || screen.is_shown;
  }
}

ProgressPause::ProgressPause(int fd, absl::string_view bytes) : is_needed_(has_progress) {
  if (!is_needed_) return;
  Screen& screen = TheScreen();
  MutexLock lock(&screen.mu);
  ++screen.writing;
  Erase(screen);
  screen.last_said = BootTime::Now();
  if (!bytes.empty() && isatty(fd) != 0) screen.is_line_begun = !absl::EndsWith(bytes, "\n");
}

ProgressPause::~ProgressPause() {
  if (!is_needed_) return;
  Screen& screen = TheScreen();
  MutexLock lock(&screen.mu);
  --screen.writing;
  screen.last_said = BootTime::Now();
}

void EraseProgress() {
  if (!has_progress) return;
  Screen& screen = TheScreen();
  MutexLock lock(&screen.mu);
  screen.is_over = true;
  Erase(screen);
}

}  // namespace shoal::cli
