// What is read of stdin, and when.
#include "client/cli/stdin_source.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "common/unique_fd.h"

namespace shoal::cli {
namespace {

struct Ends {
  UniqueFd reader, writer;
};

Ends MakePipe() {
  int ends[2];
  EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

TEST(StdinSourceTest, BytesAreReadAsTheyComeAndThenTheEnd) {
  Ends pipe = MakePipe();
  StdinSource source(pipe.reader.get());
  ASSERT_EQ(write(pipe.writer.get(), "hello", 5), 5);
  EXPECT_EQ(*source.Read(4), "hell");
  EXPECT_EQ(*source.Read(100), "o");
  pipe.writer.Reset();
  EXPECT_EQ(*source.Read(100), "");
}

TEST(StdinSourceTest, AReadUnderWayEndsWithStop) {
  const Ends pipe = MakePipe();
  StdinSource source(pipe.reader.get());
  std::thread stopper([&source] { source.Stop(); });
  EXPECT_EQ(*source.Read(100), "");
  stopper.join();
  EXPECT_EQ(*source.Read(100), "") << "and so does each later one";
}

TEST(StdinSourceTest, WhoWritesLearnsThatNothingIsRead) {
  const Ends pipe = MakePipe();
  StdinSource source(pipe.reader.get());
  signal(SIGPIPE, SIG_IGN);
  source.OnUnread();
  EXPECT_EQ(write(pipe.writer.get(), "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  char byte = 0;
  EXPECT_EQ(read(pipe.reader.get(), &byte, 1), 0) << "/dev/null is there now";
}

// Each byte wakes both; the one that comes too late has nothing to read, and has to hear of Stop() all the same.
TEST(StdinSourceTest, AnotherReaderOfThePipeKeepsNobodyFromStopping) {
  const Ends pipe = MakePipe();
  const UniqueFd shared(fcntl(pipe.reader.get(), F_DUPFD_CLOEXEC, 3));
  StdinSource one(pipe.reader.get());
  StdinSource other(shared.get());
  std::atomic<int> seen = 0;
  const auto read_all = [&seen](StdinSource& source) {
    while (true) {
      const absl::StatusOr<std::string> bytes = source.Read(1);
      ASSERT_TRUE(bytes.ok()) << bytes.status();
      if (bytes->empty()) return;
      seen += static_cast<int>(bytes->size());
    }
  };
  std::thread first([&] { read_all(one); });
  std::thread second([&] { read_all(other); });
  constexpr int kBytes = 2000;
  for (int i = 0; i < kBytes; ++i) {
    EXPECT_EQ(write(pipe.writer.get(), "x", 1), 1);
    while (seen <= i) std::this_thread::yield();
  }
  one.Stop();
  other.Stop();
  first.join();
  second.join();
  EXPECT_EQ(seen, kBytes);
  EXPECT_EQ(fcntl(pipe.reader.get(), F_GETFL) & O_NONBLOCK, 0) << "it is shared with others";
}

TEST(StdinSourceTest, OneWhoseWritersHaveGoneBeforeItBeganEnds) {
  Ends pipe = MakePipe();
  ASSERT_EQ(write(pipe.writer.get(), "x", 1), 1);
  pipe.writer.Reset();
  StdinSource source(pipe.reader.get());
  EXPECT_EQ(*source.Read(100), "x");
  EXPECT_EQ(*source.Read(100), "");
}

TEST(StdinSourceTest, WhatCannotBeReadIsSaid) {
  const UniqueFd directory(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  StdinSource source(directory.get());
  EXPECT_EQ(source.Read(100).status().message(), "cannot read stdin: Is a directory");
}

TEST(StdinSourceTest, NothingIsGivenByDevNullOrWhatIsClosed) {
  const UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Ends pipe = MakePipe();
  EXPECT_FALSE(IsInputGiven(null.get()));
  EXPECT_FALSE(IsInputGiven(-1));
  EXPECT_TRUE(IsInputGiven(pipe.reader.get()));
}

}  // namespace
}  // namespace shoal::cli
