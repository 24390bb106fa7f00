// Runs a command line of `shoal` with a terminal as its stdout.
//
// Thread-safety: the test's main thread only.
// Blocking:      as long as the command does; it prints less than a terminal buffers, 4 KiB.
#ifndef SHOAL_TESTS_SUPPORT_TERMINAL_COMMAND_H_
#define SHOAL_TESTS_SUPPORT_TERMINAL_COMMAND_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "client/cli/command_line.h"
#include "common/unique_fd.h"

namespace shoal::testing {

// What reached the terminal.
inline std::string ShownByTerminal(std::vector<std::string> words) {
  const UniqueFd terminal(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  EXPECT_EQ(grantpt(terminal.get()), 0);
  EXPECT_EQ(unlockpt(terminal.get()), 0);
  UniqueFd screen(open(ptsname(terminal.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  termios modes{};
  EXPECT_EQ(tcgetattr(screen.get(), &modes), 0);
  cfmakeraw(&modes);
  EXPECT_EQ(tcsetattr(screen.get(), TCSANOW, &modes), 0);
  const UniqueFd before(fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
  dup2(screen.get(), STDOUT_FILENO);
  EXPECT_EQ(cli::RunCommandLine(std::move(words)), 0);
  dup2(before.get(), STDOUT_FILENO);
  // One read may have only what the kernel had passed on by then; the next one makes it pass on the rest.
  std::string shown;
  char piece[8192];
  for (ssize_t size; (size = read(terminal.get(), piece, sizeof(piece))) > 0;) {
    shown.append(piece, static_cast<size_t>(size));
  }
  return shown;
}

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_TERMINAL_COMMAND_H_
