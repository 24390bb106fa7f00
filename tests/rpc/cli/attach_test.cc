// attach: what the process prints, what is passed on to it, and how it is left.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "common/unique_fd.h"
#include "tests/rpc/cli/agent_fixture.h"
#include "tests/rpc/cli/blocked_signals.h"

namespace shoal::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class AttachTest : public AgentCommandTest {
 protected:
  AttachTest() {
    v1::Process process = Running(kWeb, "web");
    process.mutable_spec()->mutable_input()->mutable_stream();
    process.mutable_input()->set_window_bytes(1);
    ant_.Put(std::move(process), "before\n");
  }
  ~AttachTest() override { TakeInput(open("/dev/null", O_RDONLY | O_CLOEXEC)); }

  // Has stdin be a pipe with this in it, which ends there when the result goes.
  static UniqueFd TakePipe(const std::string& text) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    EXPECT_EQ(write(ends[1], text.data(), text.size()), static_cast<ssize_t>(text.size()));
    TakeInput(ends[0]);
    return UniqueFd(ends[1]);
  }
  static void TakeText(const std::string& text) { TakePipe(text); }
  std::string IdOf(const std::string& name) const {
    for (const v1::Process& process : ant_.processes()) {
      if (process.name() == name) return process.id();
    }
    return "";
  }
  // Ends the process once it has got this.
  std::thread ExitAfter(const std::string& input, int code) {
    return std::thread([this, input, code] {
      for (int64_t seen = 0; ant_.InputOf(kWeb) != input;) seen = ant_.AwaitNews(seen);
      ant_.Exit(kWeb, code);
    });
  }
};

TEST_F(AttachTest, WhatIsTypedIsPassedOnAndTheExitIsTheProcesss) {
  TakeText("hello\n");
  std::thread exiter = ExitAfter("hello\n", 3);
  const Said said = Shoal("attach web");
  exiter.join();
  EXPECT_EQ(said.status, 3);
  EXPECT_EQ(said.out, "before\n");
}

TEST_F(AttachTest, WhenStdinEndsTheInputStaysOpenAndItsOutputIsStillShown) {
  TakeText("hello\n");
  std::thread exiter([this] {
    for (int64_t seen = 0; ant_.InputOf(kWeb) != "hello\n";) seen = ant_.AwaitNews(seen);
    ant_.AwaitCalls("WriteInput", 2);  // the hold, and its end behind the sentence
    ant_.Write(kWeb, v1::STREAM_KIND_STDOUT, "later\n");
    ant_.Exit(kWeb, 0);
  });
  const Said said = Shoal("attach web");
  exiter.join();
  EXPECT_EQ(said.status, 0);
  EXPECT_EQ(said.out, "before\nlater\n");
  EXPECT_EQ(said.err, "shoal: stdin has ended; the input of web stays open, --eof would end it.\n");
  EXPECT_FALSE(ant_.HasInputEnded(kWeb));
}

TEST_F(AttachTest, WithEofTheEndOfStdinIsThatOfTheInput) {
  TakeText("hello\n");
  std::thread exiter([this] {
    for (int64_t seen = 0; !ant_.HasInputEnded(kWeb);) seen = ant_.AwaitNews(seen);
    ant_.AwaitCalls("WriteInput", 2);
    ant_.Write(kWeb, v1::STREAM_KIND_STDOUT, "later\n");
    ant_.Exit(kWeb, 0);
  });
  const Said said = Shoal("attach --eof web");
  exiter.join();
  EXPECT_EQ(said, (Said{0, "before\nlater\n",
                        "shoal: stdin has ended, and with it the input of web.\n"}));
  EXPECT_EQ(ant_.InputOf(kWeb), "hello\n");
}

TEST_F(AttachTest, WhatGoesNowhereIsSaidToDoSo) {
  ant_.Put(Running("PLAINAAAAAAAAAAA", "plain"));
  TakeText("lost\n");
  std::thread exiter([this] {
    ant_.AwaitCalls("ReadOutput", 1);
    ant_.Exit("PLAINAAAAAAAAAAA", 0);
  });
  const Said said = Shoal("attach plain");
  exiter.join();
  EXPECT_EQ(said, (Said{0, "",
                        "shoal: plain has no input: it was started with its stdin at /dev/null; "
                        "nothing is passed on.\n"}));
}

TEST_F(AttachTest, BytesOfAPipeAreNoKeysUnlessTheyAreGiven) {
  TakeText(
      "ab\x10\x11"
      "cd");
  std::thread exiter([this] {
    for (int64_t seen = 0; !ant_.HasInputEnded(kWeb);) seen = ant_.AwaitNews(seen);
    ant_.AwaitCalls("WriteInput", 2);
    ant_.Exit(kWeb, 0);
  });
  const Said said = Shoal("attach --eof web");
  exiter.join();
  EXPECT_EQ(said.status, 0);
  EXPECT_EQ(ant_.InputOf(kWeb),
            "ab\x10\x11"
            "cd");
}

TEST_F(AttachTest, TheKeysLeaveItRunning) {
  TakeText("ab\x10\x11never");
  const Said said = Shoal("attach --detach-keys ctrl-p,ctrl-q web");
  EXPECT_EQ(said.status, 0);
  EXPECT_EQ(ant_.InputOf(kWeb), "ab");
  EXPECT_THAT(said.err,
              HasSubstr("shoal: detached; web (7KQ2MD) runs on, input at byte 2, output at byte "));
}

TEST_F(AttachTest, TheKeysLeaveThoughTheHostDoesNotAnswer) {
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  TakeInput(ends[0]);
  std::thread typist([&] {
    ant_.AwaitCalls("ReadOutput", 1);
    ant_.Hold("StreamInput");
    EXPECT_EQ(write(ends[1], "ab\x10\x11", 4), 4);
  });
  const Said said = Shoal("attach --detach-keys ctrl-p,ctrl-q web");
  typist.join();
  close(ends[1]);
  ant_.Release("StreamInput");
  EXPECT_EQ(said.status, 0);
  EXPECT_THAT(said.err, HasSubstr("web (7KQ2MD) runs on, not all that was typed was passed on"));
}

TEST_F(AttachTest, OtherKeysMayBeNamed) {
  TakeText("ab\x01never");
  EXPECT_THAT(Shoal("attach --detach-keys ctrl-a web").err, HasSubstr("shoal: detached; web"));
  EXPECT_EQ(Shoal("attach --detach-keys none web").status, 2);
}

TEST_F(AttachTest, ASignalLeavesItRunning) {
  ASSERT_TRUE(kSignalsAreBlocked);
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  TakeInput(ends[0]);
  std::thread sender([this] {
    ant_.AwaitCalls("ReadOutput", 1);
    kill(getpid(), SIGTERM);
  });
  const Said said = Shoal("attach web");
  sender.join();
  close(ends[1]);
  EXPECT_EQ(said.status, 128 + SIGTERM);
  EXPECT_THAT(said.err, HasSubstr("shoal: detached; web"));
}

TEST_F(AttachTest, AWatcherPassesNothingOn) {
  TakeText("x");
  std::thread exiter([this] {
    ant_.AwaitCalls("ReadOutput", 1);
    ant_.Write(kWeb, v1::STREAM_KIND_STDOUT, "later\n");
    ant_.Exit(kWeb, 0);
  });
  const Said said = Shoal("attach --read-only web");
  exiter.join();
  EXPECT_EQ(said.status, 0);
  EXPECT_EQ(said.out, "before\nlater\n");
  EXPECT_EQ(ant_.Calls("WriteInput"), 0);
}

TEST_F(AttachTest, OneThatIsHeldByAnotherIsSaid) {
  TakeText("x");
  ant_.FailNext("WriteInput", absl::FailedPreconditionError("the input of web is held by another"));
  EXPECT_EQ(Shoal("attach web"), (Said{1, "", "shoal: the input of web is held by another.\n"}));
}

TEST_F(AttachTest, AProcessThatReadsNoMoreIsStillWatched) {
  Shoal("start --name py -- close-input:2 wait");
  const std::string id = IdOf("py");
  TakeText("hello");
  std::thread exiter([this, id] {
    ant_.AwaitCalls("ReadOutput", 1);
    ant_.Write(id, v1::STREAM_KIND_STDOUT, "later\n");
    ant_.Exit(id, 0);
  });
  const Said said = Shoal("attach --steal py");
  exiter.join();
  EXPECT_EQ(said.status, 0);
  EXPECT_EQ(said.out, "later\n");
}

TEST_F(AttachTest, ABrokenConnectionIsToldAndMended) {
  ant_.SetFrameBytes(3);
  ant_.BreakAfter("ReadOutput", 1, 1);
  const UniqueFd writer = TakePipe("x");
  std::thread exiter = ExitAfter("x", 0);
  const Said said = Shoal("attach web");
  exiter.join();
  EXPECT_EQ(said.out, "before\n");
  EXPECT_THAT(said.err, HasSubstr("shoal: the connection broke ("));
  EXPECT_THAT(said.err, HasSubstr("); trying again.\nshoal: connected again.\n"));
}

TEST_F(AttachTest, WhatIsMissingIsSaid) {
  ant_.WriteAndDrop(kWeb, v1::STREAM_KIND_STDOUT, 7);
  ant_.Exit(kWeb, 0);
  TakeText("");
  EXPECT_EQ(Shoal("attach -q --read-only --tail 5 web").err,
            "shoal: bytes 7 to 14 of stdout were dropped.\n");
}

// "web" is of a session, which a client renews or does not.
class AttachedSessionTest : public AttachTest {
 protected:
  AttachedSessionTest() {
    v1::Process process = Running(kWeb, "web");
    process.mutable_spec()->mutable_input()->mutable_stream();
    process.mutable_input()->set_window_bytes(1);
    process.set_session_id(kSession);
    ant_.Put(std::move(process), "before\n");
  }
  // Leaves by the keys, once there were so many calls.
  Said LeaveAfter(const std::string& method, int calls, const std::string& line) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    TakeInput(ends[0]);
    std::thread typist([&] {
      ant_.AwaitCalls(method, calls);
      EXPECT_EQ(write(ends[1], "\x10\x11", 2), 2);
    });
    Said said = Shoal(absl::StrCat(line, " --detach-keys ctrl-p,ctrl-q"));
    typist.join();
    close(ends[1]);
    EXPECT_EQ(said.status, 0);
    return said;
  }

  static constexpr char kSession[] = "SESSIONAAAAAAAAA";
};

TEST_F(AttachedSessionTest, AClientThatRenewsIsLeftAloneAndIsSaidToKeepTheSession) {
  ant_.PutSession(kSession, /*is_renewed=*/true);
  const Said said = LeaveAfter("SessionService.List", 1, "attach web");
  EXPECT_THAT(
      said.err,
      HasSubstr("shoal: web (7KQ2MD) goes on with its session, which another client keeps: last "
                "renewed 1 s ago, without that it ends in 14 s.\n"));
  EXPECT_EQ(ant_.Calls("Takeover"), 0);
}

TEST_F(AttachedSessionTest, OneThatIsGoneIsReplacedAndTheEndIsTold) {
  ant_.PutSession(kSession, /*is_renewed=*/false);
  const Said said = LeaveAfter("Takeover", 1, "attach web");
  EXPECT_THAT(
      said.err,
      HasSubstr("shoal: web (7KQ2MD) ends in 14 s, unless it is attached to again: no other "
                "client keeps its session (--keep does).\n"));
  EXPECT_EQ(ant_.Calls("Takeover"), 1);
}

TEST_F(AttachedSessionTest, OneThatOnlyWatchesSaysThatNoClientRenewsIt) {
  ASSERT_TRUE(kSignalsAreBlocked);
  ant_.PutSession(kSession, /*is_renewed=*/false);
  std::thread sender([this] {
    ant_.AwaitCalls("ReadOutput", 1);
    kill(getpid(), SIGTERM);
  });
  const Said said = Shoal("attach --read-only web");
  sender.join();
  EXPECT_THAT(said.err,
              HasSubstr("shoal: web (7KQ2MD) goes on with its session, which no client has renewed "
                        "for 12 s: without that it ends in 3 s.\n"));
}

TEST_F(AttachedSessionTest, ThatItIsReplacedIsSaid) {
  ant_.PutSession(kSession, /*is_renewed=*/false);
  const UniqueFd open_input = TakePipe("x");
  std::thread exiter([this] {
    ant_.AwaitCalls("Takeover", 1);
    ant_.AwaitCalls("KeepAlive", 1);  // a third of the TTL later
    ant_.Exit(kWeb, 0);
  });
  const Said said = Shoal("attach web");
  exiter.join();
  EXPECT_EQ(said.err, "shoal: the client of its session is gone; this one keeps it alive now.\n");
}

TEST_F(AttachedSessionTest, TakeoverReplacesAClientThatRenews) {
  ant_.PutSession(kSession, /*is_renewed=*/true);
  EXPECT_THAT(LeaveAfter("Takeover", 1, "attach --takeover web").err,
              HasSubstr("ends in 14 s, unless it is attached to again"));
  ant_.FailNext("Takeover", absl::PermissionDeniedError("session belongs to another identity"));
  TakeText("");
  EXPECT_EQ(Shoal("attach --takeover web"),
            (Said{1, "", "shoal: session belongs to another identity.\n"}));
  EXPECT_EQ(Shoal("attach --takeover --read-only web").status, 2);
}

TEST_F(AttachedSessionTest, KeepMakesItDetached) {
  ant_.PutSession(kSession, /*is_renewed=*/true);
  EXPECT_THAT(LeaveAfter("ReadOutput", 1, "attach --keep web").err,
              HasSubstr("shoal: web (7KQ2MD) is DETACHED now: it outlives its session.\n"));
  EXPECT_EQ(ant_.processes().front().session_id(), "");
}

TEST_F(AttachedSessionTest, WhatCannotBeKeptIsSaidWithWhatBecomesOfIt) {
  ant_.PutSession(kSession, /*is_renewed=*/true);
  ant_.FailNext("Update", absl::AlreadyExistsError("its name is held"));
  EXPECT_THAT(LeaveAfter("ReadOutput", 1, "attach --keep web").err,
              HasSubstr("shoal: web (7KQ2MD) could not be kept: its name is held; goes on with its "
                        "session, which another client keeps"));
}

TEST_F(AttachedSessionTest, OneThatIsOverOrNotToldOfIsSaid) {
  EXPECT_THAT(LeaveAfter("ReadOutput", 1, "attach web").err,
              HasSubstr("shoal: web (7KQ2MD) ends: its session is over.\n"));
  ant_.FailNext("SessionService.List", absl::InternalError("it is broken"), 2);
  EXPECT_THAT(LeaveAfter("SessionService.List", 3, "attach web").err,
              HasSubstr("has a session of which nothing is known now: it is broken.\n"));
}

TEST_F(AttachedSessionTest, ItIsFoundByTheRequestIdOfItsStart) {
  Shoal("start --name py -- wait");
  const std::string request_id = ant_.RequestIds("Spawn").empty()
                                     ? ant_.RequestIds("SpawnBatch").front()
                                     : ant_.RequestIds("Spawn").front();
  TakeText("x");
  std::thread exiter([this] {
    ant_.AwaitCalls("ReadOutput", 1);
    ant_.Exit(IdOf("py"), 7);
  });
  EXPECT_EQ(Shoal(absl::StrCat("attach --read-only --request-id ", request_id)).status, 7);
  exiter.join();
  EXPECT_EQ(Shoal("attach --request-id 0190a000-0000-7000-8000-000000000000").err,
            "shoal: no process of yours was started by request_id "
            "0190a000-0000-7000-8000-000000000000.\n");
  EXPECT_EQ(Shoal("attach --request-id 0190a000-0000-7000-8000-000000000000 web").err,
            "shoal: --request-id says which process; give no selector besides.\n");
}

TEST_F(AttachTest, InJsonThereIsNothingToShow) {
  const Said said = Shoal("attach -o json web");
  EXPECT_EQ(said.status, 2);
  EXPECT_THAT(said.err,
              HasSubstr("shoal: attach shows the bytes of one process as they are; `shoal "
                        "logs -f -o json` shows them as JSON.\n"));
}

TEST_F(AttachTest, ItGoesToOneProcess) {
  EXPECT_THAT(Shoal("attach").err, HasSubstr("say which processes to attach to: a name"));
  ant_.Put(Running(kDb, "wed"));
  EXPECT_EQ(
      Shoal("attach web wed").err,
      "shoal: web, wed fit 2 processes, ant/web (7KQ2MD) and ant/wed (BBBBBB): attach goes to "
      "one.\n");
  for (int rank = 0; rank < 5; ++rank) {
    v1::Process process =
        Running(absl::StrCat("SIM", rank, "SIMSIMSIMSI"), absl::StrCat("sim.", rank));
    process.set_rank(rank);
    ant_.Put(process);
  }
  EXPECT_THAT(Shoal("attach sim").err,
              AllOf(HasSubstr("sim fits 5 processes, ant/sim.0 ("), HasSubstr(") and 2 more: ")));
}

}  // namespace
}  // namespace shoal::testing
