// Runs command lines of `shoal` in the process of the test, and keeps what they print.
//
// Ownership:     the test's.
// Thread-safety: the test's main thread only: descriptors 1 and 2 and the environment are changed.
// Blocking:      as long as the command does.
#ifndef SHOAL_TESTS_SUPPORT_SHOAL_COMMAND_H_
#define SHOAL_TESTS_SUPPORT_SHOAL_COMMAND_H_

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "client/cli/command_line.h"

namespace shoal::testing {

// What a command left behind.
struct Said {
  int status = 0;
  std::string out;
  std::string err;

  bool operator==(const Said& other) const {
    return status == other.status && out == other.out && err == other.err;
  }
};

inline std::ostream& operator<<(std::ostream& stream, const Said& said) {
  return stream << "exit status " << said.status << "\n--- stdout:\n"
                << said.out << "--- stderr:\n"
                << said.err << "---";
}

inline Said RunCommand(std::vector<std::string> words) {
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Said said;
  said.status = cli::RunCommandLine(std::move(words));
  std::fflush(stdout);
  std::fflush(stderr);
  said.out = ::testing::internal::GetCapturedStdout();
  said.err = ::testing::internal::GetCapturedStderr();
  return said;
}

// Words that have no space in them.
inline std::vector<std::string> Words(absl::string_view line) {
  return absl::StrSplit(line, ' ', absl::SkipEmpty());
}

// A home, without a configuration and with no agent, a zone, and nothing on stdin. What the user of
// the test has set does not count.
class CommandTest : public ::testing::Test {
 protected:
  CommandTest() {
    char name[] = "/tmp/shoal-home-XXXXXX";
    home_ = mkdtemp(name);
    chmod(home_.c_str(), 0755);
    for (const char* variable :
         {"SHOAL_AGENT", "SHOAL_HOST", "SHOAL_HOSTS", "SHOAL_CONFIG", "SHOAL_SESSION_TTL",
          "SHOAL_SHOALD", "SHOAL_TLS_CERT", "SHOAL_TLS_KEY", "SHOAL_TLS_CA"}) {
      unsetenv(variable);
    }
    for (const char* variable :
         {"HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CACHE_HOME"}) {
      setenv(variable, home_.c_str(), 1);
    }
    setenv("TZ", "UTC", 1);
    TakeInput(open("/dev/null", O_RDONLY | O_CLOEXEC));
  }
  ~CommandTest() override { std::filesystem::remove_all(home_); }

  // Has stdin be `fd`, which is closed.
  static void TakeInput(int fd) {
    dup2(fd, STDIN_FILENO);
    close(fd);
  }

  static Said Shoal(absl::string_view line) { return RunCommand(Words(line)); }

  std::string home_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_SHOAL_COMMAND_H_
