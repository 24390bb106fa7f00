// run --stdin, start --stdin and input: from our stdin to the input of processes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/error_info.h"
#include "shoal/v1/error_detail.pb.h"
#include "tests/rpc/cli/agent_fixture.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::UnorderedElementsAre;

class InputTest : public AgentCommandTest {
 protected:
  ~InputTest() override { TakeInput(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

  // Has stdin be a file with this in it.
  void TakeText(const std::string& text) {
    const std::string path = home_ + "/input";
    std::ofstream(path, std::ios::trunc) << text;
    TakeInput(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  }
  // Has stdin be a pipe, and gives its other end.
  static int TakePipe() {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    TakeInput(ends[0]);
    return ends[1];
  }
};

TEST_F(InputTest, ASingleProcessReadsOurStdin) {
  TakeText("hello");
  EXPECT_EQ(Shoal("run -n 1 -- cat"), (Said{0, "hello", ""}));
  EXPECT_TRUE(ant_.last_batch().specs(0).input().has_stream());
}

TEST_F(InputTest, WithNothingThereItReadsDevNull) {
  TakeInput(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(Shoal("run -n 1 -- exit:0"), (Said{0, "", ""}));
  EXPECT_FALSE(ant_.last_batch().specs(0).has_input());
}

TEST_F(InputTest, NoneLeavesOurStdinAlone) {
  TakeText("hello");
  Said said = Shoal("run --stdin none -n 1 -- exit:0");
  EXPECT_FALSE(ant_.last_batch().specs(0).has_input());
  EXPECT_EQ(said.err, "");
  char byte = 0;
  EXPECT_EQ(read(STDIN_FILENO, &byte, 1), 1);
}

// As they are where an agent has as many calls as it takes.
TEST_F(InputTest, OneThatIsRefusedForNowIsWorthTryingAgain) {
  v1::Process py = Running(kWeb, "py");
  py.mutable_spec()->mutable_input()->mutable_stream();
  ant_.Put(py);
  for (const char* method : {"StreamInput", "WriteInput"}) {
    TakeText("1");
    ant_.FailNext(method, absl::ResourceExhaustedError("512 calls, limit 512"));
    EXPECT_EQ(Shoal("input py"), (Said{75, "", "shoal: 512 calls, limit 512.\n"})) << method;
  }
}

// Two at the same time: one of them is late.
TEST_F(InputTest, WhereAnotherWriterWasFasterAnotherTryMayWork) {
  v1::Process py = Running(kWeb, "py");
  py.mutable_spec()->mutable_input()->mutable_stream();
  ant_.Put(py);
  absl::Status conflict = absl::FailedPreconditionError("another writer has written to it");
  v1::ErrorInfo info;
  info.set_reason("INPUT_CONFLICT");
  conflict.SetPayload(kErrorInfoUrl, absl::Cord(info.SerializeAsString()));
  TakeText("1");
  ant_.FailNext("StreamInput", conflict);
  EXPECT_EQ(Shoal("input py"), (Said{75, "",
                                     "shoal: another writer has written to it; nothing of what "
                                     "came on stdin was written.\n"}));
  EXPECT_EQ(ant_.InputOf(kWeb), "");
  py.mutable_input()->set_ended(true);
  ant_.Put(py);
  TakeText("1");
  ant_.FailNext("StreamInput", conflict);
  EXPECT_EQ(Shoal("input py"), (Said{1, "", "shoal: another writer has written to it.\n"}));

  py.set_id(kDb);
  py.set_name("sql");
  py.clear_input();
  ant_.Put(py);
  TakeText(std::string(300'000, 'x'));
  ant_.BreakAfter("StreamInput", 1, 1, conflict);
  const Said said = Shoal("input sql");
  EXPECT_EQ(said.status, 1);
  const std::string kept = absl::StrCat(ant_.InputOf(kDb).size());
  EXPECT_NE(kept, "0");
  EXPECT_EQ(said.err,
            absl::StrCat("shoal: another writer has written to it; of what came on stdin ", kept,
                         " bytes went there before.\n"));
}

TEST_F(InputTest, AllRanksReadTheSame) {
  TakeText("hello");
  Said said = Shoal("run --stdin all -n 3 -- cat");
  EXPECT_EQ(said.status, 0);
  EXPECT_THAT(std::vector<std::string>(absl::StrSplit(said.out, '\n')),
              UnorderedElementsAre("0 │ hello", "1 │ hello", "2 │ hello", ""));
}

TEST_F(InputTest, OneRankReadsAndTheOthersSeeTheEnd) {
  TakeText("hello");
  Said said = Shoal("run --stdin 1 -n 3 -- cat");
  EXPECT_EQ(said.status, 0);
  EXPECT_EQ(said.out, "1 │ hello\n");
}

TEST_F(InputTest, AFileOfTheHostsStandsInTheSpec) {
  Shoal("run --stdin @/etc/hosts -n 2 -- exit:0");
  EXPECT_EQ(ant_.last_batch().specs(0).input().file(), "/etc/hosts");
  Shoal("run --stdin @data --cwd /srv -n 2 -- exit:0");
  EXPECT_EQ(ant_.last_batch().specs(0).input().file(), "/srv/data");
}

TEST_F(InputTest, WhatIsNoChoiceIsRefusedBeforeAnythingStarts) {
  EXPECT_EQ(Shoal("run --stdin 3 -n 2 -- exit:0"),
            (Said{2, "", "shoal: --stdin 3: there is no such rank; they are 0 to 1.\n"}));
  EXPECT_EQ(ant_.Calls("SpawnBatch"), 0);
}

TEST_F(InputTest, ATerminalIsForASingleProcess) {
  EXPECT_EQ(Shoal("run -t -n 2 -- exit:0"),
            (Said{2, "", "shoal: -t is for a single process: give -n 1.\n"}));
  Shoal("run --terminal -- exit:0");
  const v1::SpawnBatchRequest asked = ant_.last_batch();
  EXPECT_EQ(asked.ranks().count(), 1);
  EXPECT_GT(asked.specs(0).terminal().rows(), 0);
  EXPECT_GT(asked.specs(0).terminal().columns(), 0);
}

TEST_F(InputTest, MuchGoesThroughInPieces) {
  const std::string much(3 << 20, 'x');
  TakeText(much);
  Said said = Shoal("run -n 1 -- cat");
  EXPECT_EQ(said.status, 0);
  EXPECT_TRUE(said.out == much);
  EXPECT_GE(ant_.Calls("StreamInput"), 12);
}

TEST_F(InputTest, AnAnswerThatIsLostDoublesNothing) {
  TakeText("hello");
  ant_.LoseAnswer("StreamInput", 2);
  EXPECT_EQ(Shoal("run -n 1 -- cat"), (Said{0, "hello", ""}));
}

// As `yes | shoal run -n 1 -- head -1`.
TEST_F(InputTest, AProcessThatReadsNoMoreHasTheWriterTold) {
  signal(SIGPIPE, SIG_IGN);
  const int writer = TakePipe();
  bool is_told = false;
  std::thread yes([writer, &is_told] {
    const std::string line(4096, 'y');
    while (write(writer, line.data(), line.size()) > 0) {
    }
    is_told = errno == EPIPE;
    close(writer);
  });
  Said said = Shoal("run -n 1 -- close-input:5 exit:0");
  TakeInput(open("/dev/null", O_RDONLY | O_CLOEXEC));
  yes.join();
  EXPECT_EQ(said.status, 0);
  EXPECT_TRUE(is_told);
}

TEST_F(InputTest, AnIdlePipeHoldsNothingUp) {
  const int writer = TakePipe();
  EXPECT_EQ(Shoal("run -n 1 -- exit:3"), (Said{3, "", ""}));
  close(writer);
}

TEST_F(InputTest, StartKeepsTheInputOpenForInput) {
  Said started = Shoal("start --stdin --name py -- cat");
  EXPECT_EQ(started.status, 0);
  const std::string id = ant_.processes().at(0).id();
  EXPECT_TRUE(ant_.last_batch().specs(0).input().has_stream());
  TakeText("print(1)\n");
  EXPECT_EQ(Shoal("input py"), (Said{0, "", ""}));
  TakeText("print(2)\n");
  EXPECT_EQ(Shoal("input py"), (Said{0, "", ""}));
  EXPECT_EQ(ant_.InputOf(id), "print(1)\nprint(2)\n");
  EXPECT_FALSE(ant_.HasInputEnded(id));
  TakeInput(open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(Shoal("input py --eof"), (Said{0, "", ""}));
  EXPECT_TRUE(ant_.HasInputEnded(id));
}

TEST_F(InputTest, InputSaysWhatDoesNotTakeIt) {
  TakeText("hello");
  EXPECT_THAT(Shoal("input").err, HasSubstr("say which processes to give input to: a name"));
  Said none = Shoal("input nobody");
  EXPECT_EQ(none.status, 1);
  Shoal("start --name py -- close-input:2 wait");
  Said closed = Shoal("input py");
  EXPECT_EQ(closed.status, 1);
  EXPECT_THAT(closed.err, HasSubstr("it has closed its input"));
  Shoal("start --name pz -- wait");
  EXPECT_THAT(Shoal("input py pz").err,
              MatchesRegex("shoal: py, pz fit 2 processes, ant/py \\(\\w{6}\\) and ant/pz "
                           "\\(\\w{6}\\): input goes to one.\n"));
}

}  // namespace
}  // namespace shoal::testing
