#include "client/cli/raw_terminal.h"

#include <sys/ioctl.h>
#include <termios.h>

#include <cerrno>
#include <cstdlib>

#include "absl/memory/memory.h"
#include "client/cli/stdin_source.h"
#include "common/mutex.h"
#include "common/status.h"

namespace shoal::cli {
namespace {

// The terminal that is in raw mode, and the modes that it had.
struct Taken {
  Mutex mu;
  int fd ABSL_GUARDED_BY(mu) = -1;
  termios modes ABSL_GUARDED_BY(mu) = {};
};

Taken& TheTaken() {
  static Taken* const kTaken = [] {
    std::atexit(RawTerminal::Restore);
    return new Taken;
  }();
  return *kTaken;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RawTerminal>> RawTerminal::Take(int fd, Mode mode) {
  auto terminal = absl::WrapUnique(new RawTerminal(fd, mode));
  SHOAL_RETURN_IF_ERROR(terminal->Set());
  return terminal;
}

absl::Status RawTerminal::Set() {
  Taken& taken = TheTaken();
  MutexLock lock(&taken.mu);
  if (!IsForeground(fd_)) return absl::OkStatus();
  termios modes = {};
  if (tcgetattr(fd_, &modes) != 0) return ErrnoStatus(errno, "cannot read the terminal's modes");
  termios raw = modes;
  cfmakeraw(&raw);
  if (mode_ != Mode::kRaw) raw.c_lflag |= ISIG;
  if (mode_ == Mode::kWatchingLines) raw.c_oflag = modes.c_oflag;
  // Not TCSAFLUSH: what was typed ahead is for the process.
  if (tcsetattr(fd_, TCSADRAIN, &raw) != 0) {
    return ErrnoStatus(errno, "cannot set the terminal's modes");
  }
  if (taken.fd < 0) taken.modes = modes;
  taken.fd = fd_;
  return absl::OkStatus();
}

RawTerminal::~RawTerminal() { Restore(); }

void RawTerminal::TakeAgain() { Set().IgnoreError(); }

void RawTerminal::Restore() {
  Taken& taken = TheTaken();
  MutexLock lock(&taken.mu);
  if (taken.fd >= 0 && IsForeground(taken.fd)) tcsetattr(taken.fd, TCSADRAIN, &taken.modes);
  taken.fd = -1;
}

bool RawTerminal::IsTaken() {
  Taken& taken = TheTaken();
  MutexLock lock(&taken.mu);
  return taken.fd >= 0;
}

std::optional<v1::TerminalSize> SizeOfTerminal(int fd) {
  winsize size = {};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0) {
    return std::nullopt;
  }
  v1::TerminalSize told;
  told.set_rows(size.ws_row);
  told.set_columns(size.ws_col);
  return told;
}

}  // namespace shoal::cli
