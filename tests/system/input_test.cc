// Input through the real programs: not a byte lost, doubled or out of place, whatever is killed on the way.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/ids.h"
#include "common/unique_fd.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;

// The same for each run, and nowhere the same as a piece before.
std::string RandomBytes(size_t size) {
  std::string bytes(size, '\0');
  uint64_t state = 0x9e3779b97f4a7c15;
  for (char& byte : bytes) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    byte = static_cast<char>(state >> 32);
  }
  return bytes;
}

class Input : public SystemTest {
 protected:
  std::unique_ptr<RunningCommand> StartWith(int stdin_fd, std::vector<std::string> arguments) {
    CommandOptions options = UserOptions();
    options.stdin_fd = stdin_fd;
    arguments.insert(arguments.begin(), ShoalPath());
    return std::make_unique<RunningCommand>(std::move(arguments), options);
  }
  CommandResult ShoalWith(const std::string& input, std::vector<std::string> arguments) {
    const std::string path = Scratch("input");
    WriteFile(path, input);
    const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
    return StartWith(file.get(), std::move(arguments))->Wait();
  }
};

TEST_F(Input, AFileGoesThroughAProcessByteForByte) {
  StartAgent("ant");
  const std::string bytes = RandomBytes(20 << 20);
  const CommandResult result = ShoalWith(bytes, {"run", "-n", "1", "--", "cat"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_TRUE(result.out == bytes);
}

TEST_F(Input, AnAgentThatIsKilledOnTheWayCostsNoByte) {
  AgentProcess& agent = StartAgent("ant");
  const std::string bytes = RandomBytes(64 << 20);
  const std::string path = Scratch("bytes");
  WriteFile(path, bytes);
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const std::string copy = Scratch("copy");
  auto run = StartWith(file.get(), {"run", "-n", "1", "--", "sh", "-c", "cat > " + copy});
  for (int i = 1; i <= 5; ++i) {
    WaitUntil(absl::StrCat("part ", i, " has come through"), [&] {
      struct stat facts = {};
      return stat(copy.c_str(), &facts) == 0 && facts.st_size > (int64_t{i} << 20) * 8;
    });
    agent.Kill();
    ASSERT_TRUE(agent.Start());
  }
  const CommandResult result = run->Wait();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_TRUE(ReadFile(copy) == bytes);
}

// The shim feeds what is kept, and the end, with no agent there.
TEST_F(Input, WhatIsKeptIsFedWithoutAnAgent) {
  AgentProcess& agent = StartAgent("ant");
  const std::string gate = Scratch("gate");
  ASSERT_EQ(mkfifo(gate.c_str(), 0600), 0);
  const std::string copy = Scratch("copy");
  Shoal({"start", "--stdin", "--name", "w", "--", "sh", "-c",
         absl::StrCat("read x < ", gate, "; cat > ", copy, "; mv ", copy, " ", copy, ".done")});
  const std::string bytes = RandomBytes(3 << 20);
  EXPECT_EQ(ShoalWith(bytes, {"input", "w", "--eof"}).exit_code, 0);
  agent.Kill();
  const UniqueFd opened(open(gate.c_str(), O_WRONLY | O_CLOEXEC));
  ASSERT_EQ(write(opened.get(), "\n", 1), 1);
  WaitUntil("all was read", [&] { return access((copy + ".done").c_str(), F_OK) == 0; });
  EXPECT_TRUE(ReadFile(copy + ".done") == bytes);
  ASSERT_TRUE(agent.Start());
  agent.stub().Wait("w", v1::WaitRequest::UNTIL_EMPTY);
  const v1::Process process = agent.stub().Get("w");
  EXPECT_EQ(process.input().fed_offset(), 3 << 20);
  EXPECT_EQ(process.input().taken_offset(), 3 << 20);
  EXPECT_EQ(process.exit().code(), 0);
}

TEST_F(Input, PipelinesAreAsIfItWereAProgramHere) {
  StartAgent("ant");
  EXPECT_EQ(ShoalWith("b\nc\na\n", {"run", "-n", "1", "--", "sort"}).out, "a\nb\nc\n");
  EXPECT_EQ(ShoalWith("x y z\n", {"run", "-n", "1", "--", "sh", "-c", "read a b; echo $b"}).out,
            "y z\n");
  const CommandResult all =
      ShoalWith("to all\n", {"run", "--stdin", "all", "-n", "10", "--no-tag", "--", "cat"});
  std::string ten;
  for (int i = 0; i < 10; ++i) ten += "to all\n";
  EXPECT_EQ(all.out, ten);
}

TEST_F(Input, AHundredRanksReadTheSame) {
  StartAgent("ant");
  const std::string bytes = RandomBytes(1 << 20);
  const CommandResult direct = [&] {
    const std::string path = Scratch("input");
    WriteFile(path, bytes);
    return RunningCommand({"/usr/bin/sha256sum", path}, UserOptions()).Wait();
  }();
  const std::string line = direct.out.substr(0, 64) + "  -\n";
  const CommandResult all =
      ShoalWith(bytes, {"run", "--stdin", "all", "-n", "100", "--no-tag", "--", "sha256sum"});
  EXPECT_EQ(all.exit_code, 0) << all.err;
  std::string expected;
  for (int i = 0; i < 100; ++i) expected += line;
  EXPECT_EQ(all.out, expected);
}

TEST_F(Input, TarGoesToAnotherPlace) {
  StartAgent("ant");
  ASSERT_EQ(mkdir(Scratch("from").c_str(), 0700), 0);
  ASSERT_EQ(mkdir(Scratch("to").c_str(), 0700), 0);
  for (int i = 0; i < 50; ++i) {
    WriteFile(Scratch(absl::StrCat("from/file", i)), RandomBytes(static_cast<size_t>(i) * 3000));
  }
  const CommandResult packed =
      RunningCommand({"/bin/tar", "c", "-C", Scratch("from"), "."}, UserOptions()).Wait();
  const CommandResult result =
      ShoalWith(packed.out, {"run", "-n", "1", "--", "tar", "x", "-C", Scratch("to")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (int i = 0; i < 50; ++i) {
    EXPECT_TRUE(ReadFile(Scratch(absl::StrCat("to/file", i))) ==
                RandomBytes(static_cast<size_t>(i) * 3000));
  }
}

// As `yes | shoal run -n 1 -- head -1`: the writer is told, and nothing hangs.
TEST_F(Input, AProcessThatHasReadEnoughEndsThePipeline) {
  StartAgent("ant");
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  UniqueFd reader(ends[0]), writer(ends[1]);
  signal(SIGPIPE, SIG_IGN);
  auto run = StartWith(reader.get(), {"run", "-n", "1", "--", "sh", "-c", "head -1; exec <&-"});
  reader.Reset();
  int error = 0;
  std::thread yes([&] {
    std::string all(4096, 'y');
    for (size_t i = 1; i < all.size(); i += 2) all[i] = '\n';
    while (write(writer.get(), all.data(), all.size()) > 0) {
    }
    error = errno;
    writer.Reset();
  });
  const CommandResult result = run->Wait();
  yes.join();
  EXPECT_EQ(error, EPIPE);
  EXPECT_EQ(result.out, "y\n");
  EXPECT_EQ(result.exit_code, 0);
}

TEST_F(Input, AnIdlePipeHoldsNothingUpAndIsNotRead) {
  StartAgent("ant");
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]), writer(ends[1]);
  EXPECT_EQ(StartWith(reader.get(), {"run", "-n", "1", "--", "true"})->Wait().exit_code, 0);
  ASSERT_EQ(write(writer.get(), "kept", 4), 4);
  StartWith(reader.get(), {"run", "--stdin", "none", "-n", "1", "--", "cat"})->Wait();
  char bytes[4];
  EXPECT_EQ(read(reader.get(), bytes, 4), 4);
}

// `while read line; do shoal run --stdin none …; done < file` sees every line.
TEST_F(Input, ALoopOverLinesKeepsThem) {
  StartAgent("ant");
  WriteFile(Scratch("lines"), "1\n2\n3\n");
  const UniqueFd lines(open(Scratch("lines").c_str(), O_RDONLY | O_CLOEXEC));
  CommandOptions options = UserOptions();
  options.stdin_fd = lines.get();
  const CommandResult result =
      RunningCommand({"/bin/sh", "-c",
                      absl::StrCat("while read n; do ", ShoalPath(),
                                   " run --stdin none -n 1 -- echo got $n 2>/dev/null; done")},
                     options)
          .Wait();
  EXPECT_EQ(result.out, "got 1\ngot 2\ngot 3\n");
}

TEST_F(Input, AFileOfTheHostIsReadByEachRank) {
  StartAgent("ant");
  WriteFile(Scratch("data"), "data\n");
  EXPECT_EQ(
      Shoal({"run", "--stdin", "@" + Scratch("data"), "-n", "2", "--no-tag", "--", "cat"}).out,
      "data\ndata\n");
  const CommandResult none =
      Shoal({"run", "--stdin", "@" + Scratch("none"), "-n", "1", "--", "cat"});
  EXPECT_EQ(none.exit_code, 125) << none.err;
  EXPECT_THAT(none.err, HasSubstr("input from " + Scratch("none") + ": No such file or directory"));
}

TEST_F(Input, TwoWritersDoNotOverwriteEachOther) {
  AgentProcess& agent = StartAgent("ant");
  Shoal({"start", "--stdin", "--name", "w", "--", "cat"});
  v1::WriteInputRequest request;
  request.set_selector("w");
  request.set_data("first");
  request.set_writer("one");
  v1::WriteInputResponse response;
  CallContext first, second;
  ASSERT_TRUE(agent.stub().processes().WriteInput(&first, request, &response).ok());
  request.set_data("other");
  request.set_writer("two");
  const grpc::Status refused = agent.stub().processes().WriteInput(&second, request, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(), HasSubstr("another writer has written to it meanwhile"));
  ShoalWith(" second", {"input", "w", "--eof"});
  agent.stub().Wait("w", v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(agent.stub().Output("w", v1::STREAM_KIND_STDOUT), "first second");
}

// The ring is made before the start, or there is none.
TEST_F(Input, AStartWithoutRoomForItsInputSaysSo) {
  AgentProcess& agent = StartAgent("ant");
  v1::SpawnRequest request;
  request.set_request_id(NewRequestId());
  *request.mutable_spec() = SpecOf({"/bin/cat"}, "w");
  request.mutable_spec()->mutable_input()->mutable_stream()->set_window_bytes(1);
  v1::SpawnResponse response;
  const grpc::Status refused = agent.stub().TrySpawn(request, &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(refused.error_message(), HasSubstr("input.stream.window_bytes is 1, must be 65536"));
}

TEST_F(Input, NothingIsLeftOfTheRing) {
  AgentProcess& agent = StartAgent("ant");
  EXPECT_EQ(ShoalWith("x", {"run", "-n", "1", "--", "cat"}).out, "x");
  Shoal({"start", "--stdin", "--name", "w", "--", "sleep", "1000"});
  const auto rings = [&agent] {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(agent.state_dir() + "/output")) {
      count += entry.path().extension() == ".in";
    }
    return count;
  };
  EXPECT_EQ(rings(), 1);
  Shoal({"stop", "w"});
  WaitUntil("the ring is gone", [&] { return rings() == 0; });
}

}  // namespace
}  // namespace shoal::testing
