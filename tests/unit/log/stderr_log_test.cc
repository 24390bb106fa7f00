#include "agent/log/stderr_log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/unique_fd.h"

namespace shoal::agent {
namespace {

using ::testing::Eq;
using ::testing::MatchesRegex;

constexpr absl::Duration kLogDeadline = absl::Seconds(60);

class StderrLogTest : public ::testing::Test {
 protected:
  StderrLogTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    read_ = UniqueFd(ends[0]);
    write_ = UniqueFd(ends[1]);
  }
  std::string ReadSome() {
    std::string bytes(1 << 16, '\0');
    const ssize_t count = read(read_.get(), bytes.data(), bytes.size());
    bytes.resize(count > 0 ? static_cast<size_t>(count) : 0);
    return bytes;
  }

  UniqueFd read_, write_;
};

TEST_F(StderrLogTest, LinesArriveInTheirOrder) {
  StderrLog log(write_.get());
  log.StartThread();
  log.Write("", "one");
  log.Write("now ", "two");
  log.Flush(kLogDeadline);
  EXPECT_THAT(ReadSome(), Eq("one\nnow two\n"));
}

TEST_F(StderrLogTest, WithoutAThreadTheyAreWrittenByFlush) {
  StderrLog log(write_.get());
  log.Write("shoald: ", "no threads");
  log.Flush(kLogDeadline);
  EXPECT_THAT(ReadSome(), Eq("shoald: no threads\n"));
}

TEST_F(StderrLogTest, RepeatsAreOneLineWithTheirCount) {
  StderrLog log(write_.get());
  for (int i = 0; i < 100; ++i) log.Write(absl::StrCat(i, " "), "the disk is full");
  log.Write("100 ", "it is not");
  log.Flush(kLogDeadline);
  EXPECT_THAT(ReadSome(), Eq("0 the disk is full\n99 repeated 99 times: the disk is full\n"
                             "100 it is not\n"));
}

TEST_F(StderrLogTest, ARepeatThatIsTheLastIsToldAtTheEnd) {
  StderrLog log(write_.get());
  log.StartThread();
  for (int i = 0; i < 3; ++i) log.Write("", "again");
  log.Flush(kLogDeadline);
  EXPECT_THAT(ReadSome(), Eq("again\nrepeated 2 times: again\n"));
}

// What is not read must block neither the writers nor the end of the program.
TEST_F(StderrLogTest, OneThatIsNotReadBlocksNobodyAndWhatIsDroppedIsCounted) {
  int written = 0;
  {
    StderrLog log(write_.get(), /*queue_bytes=*/4096);
    log.StartThread();
    for (; written < 20'000; ++written) log.Write("", absl::StrCat("line ", written));
    log.Flush(absl::Milliseconds(1));
    // Room again: the rest comes, then the count.
    std::string all;
    while (!absl::StrContains(all, "of the log dropped")) all += ReadSome();
    EXPECT_TRUE(absl::StartsWith(all, "line 0\nline 1\n"));
    EXPECT_TRUE(absl::StrContains(all, " lines of the log dropped: stderr was not read\n"));
  }
  EXPECT_EQ(written, 20'000);
}

TEST_F(StderrLogTest, OneThatIsClosedSwallowsTheLog) {
  StderrLog log(write_.get());
  log.StartThread();
  read_.Reset();
  sigset_t pipe, old;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe, &old);
  StderrLog deaf(write_.get());
  deaf.StartThread();
  for (int i = 0; i < 100; ++i) deaf.Write("", absl::StrCat("line ", i));
  deaf.Flush(kLogDeadline);
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
}

TEST_F(StderrLogTest, IsWhatSpdlogWritesTo) {
  auto log = std::make_shared<StderrLog>(write_.get());
  const std::shared_ptr<spdlog::logger> before = spdlog::default_logger();
  SetDefaultLogger(log, "warn");
  spdlog::info("not this");
  spdlog::warn("but {}", "this");
  spdlog::warn("but {}", "this");
  log->Flush(kLogDeadline);
  spdlog::set_default_logger(before);
  EXPECT_THAT(ReadSome(), MatchesRegex("20..-..-..T..:..:......[+-]..:.. warning but this\n"
                                       "20.* warning repeated 1 time: but this\n"));
}

}  // namespace
}  // namespace shoal::agent
