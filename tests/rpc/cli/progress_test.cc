// What a terminal shows of a command that says nothing for long.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <thread>

#include "common/unique_fd.h"
#include "shoal/host_list.h"
#include "tests/rpc/cli/agent_fixture.h"

namespace shoal::testing {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

constexpr char kGone[] = "\r\033[K";

// Our stderr is a terminal of 60 columns.
class ProgressTest : public AgentCommandTest {
 protected:
  ProgressTest() : terminal_(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    EXPECT_EQ(grantpt(terminal_.get()), 0);
    EXPECT_EQ(unlockpt(terminal_.get()), 0);
    screen_ = UniqueFd(open(ptsname(terminal_.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
    termios modes{};
    EXPECT_EQ(tcgetattr(screen_.get(), &modes), 0);
    cfmakeraw(&modes);
    EXPECT_EQ(tcsetattr(screen_.get(), TCSANOW, &modes), 0);
    const winsize size = {10, 60, 0, 0};
    EXPECT_EQ(ioctl(screen_.get(), TIOCSWINSZ, &size), 0);
  }

  // Runs the command; as soon as the terminal shows `awaited`, `then` has it go on. What was shown in all.
  std::string Shown(absl::string_view line, const std::string& awaited,
                    const std::function<void()>& then) {
    std::string shown;
    std::thread reader([&] {
      bool is_told = false;
      char piece[512];
      pollfd ready = {terminal_.get(), POLLIN, 0};
      while (shown.find('\a') == std::string::npos && poll(&ready, 1, 60'000) == 1) {
        const ssize_t size = read(terminal_.get(), piece, sizeof(piece));
        if (size <= 0) break;
        shown.append(piece, static_cast<size_t>(size));
        if (is_told || shown.find(awaited) == std::string::npos) continue;
        is_told = true;
        then();
      }
      EXPECT_TRUE(is_told) << shown;
      if (!is_told) then();
    });
    ::testing::internal::CaptureStdout();
    const UniqueFd before(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
    dup2(screen_.get(), STDERR_FILENO);
    status_ = cli::RunCommandLine(Words(line));
    dup2(before.get(), STDERR_FILENO);
    EXPECT_EQ(write(screen_.get(), "\a", 1), 1);  // the end of what is read
    reader.join();
    ::testing::internal::GetCapturedStdout();
    shown.resize(shown.find('\a'));
    return shown;
  }

  UniqueFd terminal_;
  UniqueFd screen_;
  int status_ = -1;
};

TEST_F(ProgressTest, ACommandThatWaitsSaysForWhatAndTakesItBack) {
  ant_.Put(Running(kWeb, "web"));
  const std::string shown =
      Shown("wait web", "shoal: waiting for 1 process, 2", [this] { ant_.Exit(kWeb, 0); });
  EXPECT_EQ(status_, 0);
  EXPECT_THAT(shown, EndsWith(kGone));
}

TEST_F(ProgressTest, ARunSaysHowManyGoOn) {
  const std::string shown = Shown("run -n 2 -- wait", "shoal: 2 of 2 running, 0 ended, ", [this] {
    for (const v1::Process& process : ant_.processes()) ant_.Exit(process.id(), 0);
  });
  EXPECT_EQ(status_, 0);
  // The line is gone before anything else is said.
  EXPECT_THAT(shown, HasSubstr(absl::StrCat(kGone, "2 of 2 ended, 0 failed, ")));
}

TEST_F(ProgressTest, StartsAndEndsThatTakeLongAreSaid) {
  ant_.Hold("SpawnBatch");
  Shown("start --name web -- wait", "shoal: starting on 1 host, 2",
        [this] { ant_.Release("SpawnBatch"); });
  EXPECT_EQ(status_, 0);
  ant_.Hold("Terminate");
  Shown("stop web", "shoal: ending 1 process, 2", [this] { ant_.Release("Terminate"); });
  EXPECT_EQ(status_, 0);
}

TEST_F(ProgressTest, WhoIsAskedIsSaidWhereTheAnswerTakesLong) {
  ant_.Put(Running(kWeb, "web"));
  const std::string asking =
      absl::StrCat("shoal: asking ", UnixAddress(ant_.socket_path()).name, ", 2");
  for (const auto& [line, method] :
       std::vector<std::pair<const char*, const char*>>{{"ps", "List"}, {"hosts", "HostGet"}}) {
    ant_.Hold(method);
    Shown(line, asking, [this, method = method] { ant_.Release(method); });
    EXPECT_EQ(status_, 0) << line;
  }
}

TEST_F(ProgressTest, WithQNothingIsShown) {
  ant_.Put(Running(kWeb, "web"));
  std::thread ender([this] {
    ant_.AwaitCalls("Wait", 1);
    ant_.Exit(kWeb, 0);
  });
  EXPECT_EQ(Shown("wait --quiet web", "", [] {}), "");
  ender.join();
}

}  // namespace
}  // namespace shoal::testing
