#include "agent/shim/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

namespace shoal::shim {
namespace {

constexpr unsigned long kOpenPeer = 0x5441;  // TIOCGPTPEER, Linux 4.13
constexpr tcflag_t kUtf8 = 040000;           // IUTF8: erases a whole character

struct winsize SizeOf(const record::AgentHalf& wish) {
  return {wish.terminal_rows, wish.terminal_columns, 0, 0};
}

}  // namespace

int Terminal::Open(const record::AgentHalf& wish) {
  shim_side_ = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (shim_side_ < 0) return errno;
  int locked = 0;
  if (ioctl(shim_side_, TIOCSPTLCK, &locked) != 0) return errno;
  process_side_ = ioctl(shim_side_, kOpenPeer, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (process_side_ < 0) return errno;
  struct termios modes;
  if (tcgetattr(process_side_, &modes) != 0) return errno;
  modes.c_iflag |= kUtf8;
  if (tcsetattr(process_side_, TCSANOW, &modes) != 0) return errno;
  return SetUp(wish);
}

int Terminal::Take(int shim_side, int process_side, const record::AgentHalf& wish) {
  shim_side_ = shim_side;
  process_side_ = process_side;
  return SetUp(wish);
}

int Terminal::SetUp(const record::AgentHalf& wish) {
  const struct winsize size = SizeOf(wish);
  if (fcntl(shim_side_, F_SETFL, O_RDWR | O_NONBLOCK) != 0) return errno;
  return ioctl(shim_side_, TIOCSWINSZ, &size) == 0 ? 0 : errno;
}

int Terminal::Duplicate() const { return fcntl(shim_side_, F_DUPFD_CLOEXEC, 3); }

bool Terminal::Resize(const record::AgentHalf& wish, record::ShimHalf* half) {
  if (shim_side_ < 0 || half->terminal_serial == wish.terminal_serial) return false;
  const struct winsize size = SizeOf(wish);
  struct winsize before;
  // SIGWINCH comes with a change alone: somebody has come to look, and the program is to paint its screen.
  if (ioctl(shim_side_, TIOCGWINSZ, &before) == 0 && before.ws_row == size.ws_row &&
      before.ws_col == size.ws_col) {
    before.ws_row = static_cast<unsigned short>(size.ws_row == 1 ? 2 : size.ws_row - 1);
    ioctl(shim_side_, TIOCSWINSZ, &before);
  }
  if (ioctl(shim_side_, TIOCSWINSZ, &size) != 0) return false;
  half->terminal_serial = wish.terminal_serial;
  return true;
}

bool Terminal::FindEnd(char* end_of_file) const {
  struct termios modes;
  if (tcgetattr(shim_side_, &modes) != 0 || (modes.c_lflag & ICANON) == 0) return false;
  *end_of_file = static_cast<char>(modes.c_cc[VEOF]);
  return modes.c_cc[VEOF] != _POSIX_VDISABLE;
}

bool Terminal::IsLineEnd(unsigned char byte) const {
  struct termios modes;
  if (byte == '\n' || tcgetattr(shim_side_, &modes) != 0) return true;
  if (byte == '\r') return (modes.c_iflag & ICRNL) != 0;
  return byte != _POSIX_VDISABLE && (byte == modes.c_cc[VEOF] || byte == modes.c_cc[VEOL]);
}

void Terminal::LetGo() {
  if (process_side_ >= 0) close(process_side_);
  process_side_ = -1;
}

void Terminal::Close() {
  LetGo();
  if (shim_side_ >= 0) close(shim_side_);
  shim_side_ = -1;
}

}  // namespace shoal::shim
