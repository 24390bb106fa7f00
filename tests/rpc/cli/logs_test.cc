// logs: what processes have printed, and what is said besides.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "client/cli/command_line.h"
#include "common/unique_fd.h"
#include "shoal/host_list.h"
#include "tests/rpc/cli/agent_fixture.h"
#include "tests/support/terminal_command.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

absl::Time AtSecond(int second) {
  return absl::FromCivil(absl::CivilSecond(2026, 3, 1, 12, 0, second), absl::UTCTimeZone()) +
         absl::Milliseconds(7);
}

class LogsTest : public AgentCommandTest {
 protected:
  // What it shows where stdout and stderr are one.
  static std::string OnOneScreen(const std::string& line) {
    ::testing::internal::CaptureStdout();
    const UniqueFd before(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
    dup2(STDOUT_FILENO, STDERR_FILENO);
    EXPECT_EQ(cli::RunCommandLine(Words(line)), 0);
    dup2(before.get(), STDERR_FILENO);
    return ::testing::internal::GetCapturedStdout();
  }
  static std::string Broke() {
    return "shoal: ant: the connection broke (the connection was closed by the other side); trying "
           "again.\n";
  }
};

TEST_F(LogsTest, BytesOfOneProcessPassAsTheyAre) {
  ant_.Put(Exited(kWeb, "web", 0), "no newline\xff", "oops\n");
  EXPECT_EQ(Shoal("logs web"), (Said{0, "no newline\xff", "oops\n"}));
}

TEST_F(LogsTest, LinesOfSeveralAreTagged) {
  ant_.Put(Exited(kWeb, "web", 0), "one\ntwo");
  ant_.Put(Exited(kDb, "database", 0), "three\n", "four\n");
  EXPECT_EQ(Shoal("logs web"), (Said{0, "one\ntwo", ""}));
  EXPECT_EQ(Shoal("logs web database"),
            (Said{0, "web │ one\nweb │ two\ndatabase │ three\n", "database │ four\n"}));
}

TEST_F(LogsTest, OnATerminalATaggedLineCannotOverwriteItsTag) {
  ant_.Put(Exited(kWeb, "web", 0), "ok\rdb │ lie\n");
  ant_.Put(Exited(kDb, "db", 0), "\x1b[2Kthree\n");
  EXPECT_EQ(ShownByTerminal(Words("logs web db")),
            "web │ ok\r\nweb │ db │ lie\ndb │ \\x1b[2Kthree\n");
  EXPECT_EQ(ShownByTerminal(Words("logs --raw web db")),
            "web │ ok\r\nweb │ db │ lie\ndb │ \x1b[2Kthree\n");
  EXPECT_EQ(ShownByTerminal(Words("logs web")), "ok\rdb │ lie\n") << "without a tag";
  EXPECT_EQ(Shoal("logs web db").out, "web │ ok\r\nweb │ db │ lie\ndb │ \x1b[2Kthree\n");
}

TEST_F(LogsTest, OfSeveralHostsNamesThem) {
  FakeAgent beetle("beetle");
  setenv("SHOAL_HOSTS", absl::StrCat(ant_.hosts(), ",", beetle.hosts()).c_str(), 1);
  ant_.Put(Exited(kWeb, "web", 0), "one\n");
  v1::Process other = Exited(kDb, "web", 0);
  other.set_host("beetle");
  beetle.Put(other, "", "two\n");
  EXPECT_EQ(Shoal("logs web"), (Said{0, "ant/web │ one\n", "beetle/web │ two\n"}));
}

TEST_F(LogsTest, OptionsSayWhatIsAskedFor) {
  ant_.Put(Exited(kWeb, "web", 0), "out\n", "err\n");
  EXPECT_EQ(Shoal("logs --stdout web"), (Said{0, "out\n", ""}));
  EXPECT_EQ(Shoal("logs --stderr web"), (Said{0, "", "err\n"}));
  Shoal("logs --tail 20 web");
  EXPECT_EQ(ant_.last_read().tail_lines(), 20);
  EXPECT_FALSE(ant_.last_read().has_since());
  absl::Time before = absl::Now();
  Shoal("logs --since 1h web");
  absl::Duration since =
      before - absl::FromUnixSeconds(ant_.last_read().since().seconds()) - absl::Hours(1);
  EXPECT_LE(absl::AbsDuration(since), absl::Minutes(5));
  ant_.SetClock(absl::Hours(3));
  Shoal("logs --since 1h web");
  since = before - absl::FromUnixSeconds(ant_.last_read().since().seconds()) + absl::Hours(2);
  EXPECT_LE(absl::AbsDuration(since), absl::Minutes(5)) << "by the clock of the agent";
  Shoal("logs --since inf web");
  EXPECT_FALSE(ant_.last_read().has_since());
  EXPECT_FALSE(ant_.last_read().follow());
  Shoal("logs --follow web");
  EXPECT_TRUE(ant_.last_read().follow());
}

TEST_F(LogsTest, AnOffsetIsOfStdoutUnlessStderrIsNamed) {
  ant_.Put(Exited(kWeb, "web", 0), "out\n");
  Shoal("logs ant/7KQ2MDAAAAAAAAAA:3");
  EXPECT_EQ(ant_.last_read().offset(), 3);
  ASSERT_EQ(ant_.last_read().streams_size(), 1);
  EXPECT_EQ(ant_.last_read().streams(0), v1::STREAM_KIND_STDOUT);
  Shoal("logs --stderr web:0");
  EXPECT_EQ(ant_.last_read().streams(0), v1::STREAM_KIND_STDERR);
  EXPECT_EQ(Shoal("logs web:3 db"),
            (Said{2, "", "shoal: an offset needs one process; give only that one.\n"}));
}

TEST_F(LogsTest, OptionsThatExcludeEachOtherAreRefused) {
  EXPECT_EQ(Shoal("logs --tail 3 --since 1h web"),
            (Said{2, "", "shoal: --tail excludes --since. See `shoal logs --help`.\n"}));
  EXPECT_EQ(Shoal("logs --stdout --stderr web"),
            (Said{2, "", "shoal: --stdout excludes --stderr. See `shoal logs --help`.\n"}));
  EXPECT_EQ(Shoal("logs --tail -1 web").status, 2);
  EXPECT_EQ(Shoal("logs --since yesterday web"),
            (Said{2, "",
                  "shoal: --since: \"yesterday\" is not a span of time; try 30s, 500ms, 1h30m or "
                  "2d. See `shoal logs --help`.\n"}));
}

TEST_F(LogsTest, FollowedTheyGoOnToTheEnd) {
  ant_.Put(Running(kWeb, "web"), "one\n");
  std::thread writer([this] {
    ant_.AwaitCalls("ReadOutput", 1);
    ant_.Write(kWeb, v1::STREAM_KIND_STDOUT, "two\n");
    ant_.Exit(kWeb, 0);
  });
  EXPECT_EQ(Shoal("logs -f web"), (Said{0, "one\ntwo\n", ""}));
  writer.join();
}

TEST_F(LogsTest, AGlobThatIsFollowedIsAskedForAsSuch) {
  ant_.Put(Exited(kWeb, "web", 0), "one\n");
  EXPECT_EQ(Shoal("logs -f w*"), (Said{0, "web │ one\n", ""}));
  ASSERT_EQ(ant_.last_read().selector().terms_size(), 1);
  EXPECT_EQ(ant_.last_read().selector().terms(0), "w*");
  EXPECT_EQ(Shoal("logs -f x*"), (Said{0, "", ""})) << "it may still come";
}

TEST_F(LogsTest, ANameIsShownAndNotObeyed) {
  ant_.Put(Exited(kWeb, "w\x1b[2Jb", 0), "one\n");
  EXPECT_EQ(Shoal("logs -f w*"), (Said{0, "w\\x1b[2Jb │ one\n", ""}));
  for (const char* line : {"ps -a", "wait w*", "rm w*"}) {
    const std::string out = Shoal(line).out;
    EXPECT_EQ(out.find('\x1b'), std::string::npos) << line;
  }
}

TEST_F(LogsTest, WhatWasReadAndLetGoIsNotSaidToBeDropped) {
  ant_.Put(Running(kWeb, "web"), "kept\n");
  ant_.WriteAndDrop(kWeb, v1::STREAM_KIND_STDOUT, 7, v1::Gap::REASON_ACKNOWLEDGED);
  ant_.Exit(kWeb, 0);
  EXPECT_EQ(Shoal("logs --stdout web"),
            (Said{0, "kept\n",
                  "shoal: web: 7 bytes of stdout from byte 5 on were read before, and let go.\n"}));
}

TEST_F(LogsTest, WhatIsMissingIsSaid) {
  ant_.Put(Running(kWeb, "web"), "kept\n");
  ant_.WriteAndDrop(kWeb, v1::STREAM_KIND_STDOUT, 7);
  ant_.ExitTruncated(kWeb, 0);
  // Also to who wants to hear nothing but errors.
  for (const char* line : {"logs --stdout web", "logs -q --stdout web"}) {
    EXPECT_EQ(Shoal(line),
              (Said{0, "kept\n",
                    "shoal: web: 7 bytes of stdout from byte 5 on were dropped.\n"
                    "shoal: web: its shim was lost; what of stdout it had not moved by "
                    "then is missing.\n"}));
  }
}

TEST_F(LogsTest, AnOffsetIsAPlaceInOneOutput) {
  ant_.Put(Exited(kWeb, "web", 0), "a\nb\n");
  ant_.Put(Exited(kDb, "web", 0));
  EXPECT_EQ(
      Shoal("logs web:2"),
      (Said{2, "",
            "shoal: web fits 2 processes, ant/web (7KQ2MD) and ant/web (BBBBBB): an offset is "
            "a place in the output of one.\n"}));
}

TEST_F(LogsTest, ABrokenConnectionIsToldAndMended) {
  ant_.Put(Exited(kWeb, "web", 0), "onetwo\n");
  ant_.SetFrameBytes(3);
  ant_.BreakAfter("ReadOutput", 1, 1);
  EXPECT_EQ(Shoal("logs web"),
            (Said{0, "onetwo\n", absl::StrCat(Broke(), "shoal: ant: connected again.\n")}));
}

TEST_F(LogsTest, AConnectionThatIsOverSaysWhereToGoOn) {
  ant_.Put(Exited(kWeb, "web", 0), "onetwo\n");
  ant_.SetFrameBytes(3);
  ant_.BreakAfter("ReadOutput", 1, 1, absl::PermissionDeniedError("not yours any more"));
  EXPECT_EQ(Shoal("logs web"), (Said{1, "one",
                                     "shoal: not yours any more.\n"
                                     "shoal: stdout of web goes on at ant/7KQ2MDAAAAAAAAAA:3\n"}));
}

TEST_F(LogsTest, InJsonEachFrameIsALine) {
  ant_.Put(Running(kWeb, "web"), "hi\n");
  ant_.WriteAndDrop(kWeb, v1::STREAM_KIND_STDOUT, 2);
  ant_.Exit(kWeb, 0);
  const std::string about =
      "\"host\":\"ant\",\"id\":\"7KQ2MDAAAAAAAAAA\",\"name\":\"web\",\"rank\":null,"
      "\"stream\":\"STREAM_KIND_STDOUT\",";
  EXPECT_EQ(Shoal("logs -o json --stdout web"),
            (Said{0,
                  absl::StrCat("{\"kind\":\"output\",", about,
                               "\"offset\":0,"
                               "\"data\":\"hi\\n\"}\n"
                               "{\"kind\":\"gap\",",
                               about,
                               "\"offset\":3,\"from\":3,\"to\":5,\"reason\":\"REASON_CAP\"}\n"
                               "{\"kind\":\"end\",",
                               about, "\"offset\":5,\"truncated\":false}\n"),
                  ""}));
}

TEST_F(LogsTest, AGlobThatIsFollowedTakesInWhatStartsLaterByName) {
  ant_.Put(Running(kWeb, "web"), "one\n");
  std::thread writer([this] {
    ant_.AwaitCalls("ReadOutput", 1);
    ant_.Put(Running(kDb, "wdb"), "two\n");
    ant_.Exit(kWeb, 0);
    ant_.AwaitCalls("Get", 1);
    ant_.Exit(kDb, 0);
  });
  EXPECT_EQ(Shoal("logs -f w*"), (Said{0, "web │ one\nwdb │ two\n", ""}));
  writer.join();
}

TEST_F(LogsTest, InTaggedOutputAGapStandsAtItsPlace) {
  ant_.Put(Running(kWeb, "web"), "kept\n");
  ant_.WriteAndDrop(kWeb, v1::STREAM_KIND_STDOUT, 7);
  ant_.Exit(kWeb, 0);
  EXPECT_EQ(Shoal("logs w*"),
            (Said{0, "kept\n", "shoal: web: 7 bytes of stdout from byte 5 on were dropped.\n"}));
  ant_.Put(Exited(kDb, "wdb", 0));
  EXPECT_EQ(Shoal("logs w*"),
            (Said{0, "web │ kept\nweb │ [7 bytes of stdout from byte 5 on were dropped]\n", ""}));
}

TEST_F(LogsTest, StreamsAndProcessesAreMergedByTime) {
  ant_.Put(Running(kWeb, "web"));
  ant_.Put(Running(kDb, "db"));
  ant_.WriteAt(AtSecond(1), kWeb, v1::STREAM_KIND_STDOUT, "one\n");
  ant_.WriteAt(AtSecond(2), kDb, v1::STREAM_KIND_STDOUT, "two\nth");
  ant_.WriteAt(AtSecond(3), kWeb, v1::STREAM_KIND_STDERR, "x\n");
  ant_.WriteAt(AtSecond(4), kWeb, v1::STREAM_KIND_STDOUT, "four\n");
  ant_.WriteAt(AtSecond(5), kDb, v1::STREAM_KIND_STDOUT, "ree\n");
  ant_.Exit(kWeb, 0);
  ant_.Exit(kDb, 0);
  EXPECT_EQ(OnOneScreen("logs web db"), "web │ one\ndb │ two\nweb │ x\nweb │ four\ndb │ three\n");
  EXPECT_TRUE(ant_.last_read().by_time());
  EXPECT_FALSE(ant_.last_read().times());
}

TEST_F(LogsTest, NoLineStandsInAnotherOne) {
  ant_.Put(Running(kWeb, "web"));
  ant_.WriteAt(AtSecond(1), kWeb, v1::STREAM_KIND_STDOUT, "one\nhalf");
  ant_.WriteAt(AtSecond(2), kWeb, v1::STREAM_KIND_STDERR, "err\n");
  ant_.WriteAt(AtSecond(3), kWeb, v1::STREAM_KIND_STDOUT, " done\nrest");
  ant_.Exit(kWeb, 0);
  EXPECT_EQ(OnOneScreen("logs web"), "one\nerr\nhalf done\nrest");
}

TEST_F(LogsTest, TimestampsStandBeforeEachLine) {
  ant_.Put(Running(kWeb, "web"));
  ant_.WriteAt(AtSecond(1), kWeb, v1::STREAM_KIND_STDOUT, "one\ntwo");
  ant_.WriteAt(AtSecond(2), kWeb, v1::STREAM_KIND_STDERR, "err\n");
  ant_.WriteAt(AtSecond(3), kWeb, v1::STREAM_KIND_STDOUT, "\nthree");
  ant_.Exit(kWeb, 0);
  EXPECT_EQ(Shoal("logs --timestamps web"), (Said{0,
                                                  "2026-03-01T12:00:01.007Z one\n"
                                                  "2026-03-01T12:00:01.007Z two\n"
                                                  "2026-03-01T12:00:03.007Z three\n",
                                                  "2026-03-01T12:00:02.007Z err\n"}));
  EXPECT_TRUE(ant_.last_read().times());
  ant_.Put(Exited(kDb, "wdb", 0), "");
  EXPECT_EQ(Shoal("logs -ft --stderr w*").err, "2026-03-01T12:00:02.007Z web │ err\n");
  EXPECT_TRUE(ant_.last_read().times());
}

TEST_F(LogsTest, AGapHasItsTimeToo) {
  ant_.Put(Running(kWeb, "web"), "kept\n");
  ant_.WriteAt(AtSecond(1), kWeb, v1::STREAM_KIND_STDOUT, "");
  ant_.WriteAndDrop(kWeb, v1::STREAM_KIND_STDOUT, 7);
  ant_.Exit(kWeb, 0);
  EXPECT_EQ(Shoal("logs -t web"),
            (Said{0,
                  "1970-01-01T00:00:00.000Z kept\n"
                  "2026-03-01T12:00:01.007Z [7 bytes of stdout from byte 5 on were dropped]\n",
                  ""}));
}

TEST_F(LogsTest, InJsonTimestampsAreAMember) {
  ant_.Put(Running(kWeb, "web"));
  ant_.WriteAt(AtSecond(1), kWeb, v1::STREAM_KIND_STDOUT, "one\n");
  EXPECT_THAT(Shoal("logs -o json --stdout -t web").out,
              HasSubstr("\"offset\":0,\"time\":\"2026-03-01T12:00:01.007Z\",\"data\""));
  EXPECT_THAT(Shoal("logs -o json --stdout web").out, Not(HasSubstr("\"time\"")));
  ant_.SetReadsAsBefore();
  EXPECT_THAT(Shoal("logs -o json --stdout -t web").out,
              HasSubstr("\"offset\":0,\"time\":null,\"data\""));
}

TEST_F(LogsTest, AnAgentThatKnowsNoTimesIsReadAsItSends) {
  ant_.SetReadsAsBefore();
  ant_.Put(Running(kWeb, "web"));
  ant_.WriteAt(AtSecond(1), kWeb, v1::STREAM_KIND_STDERR, "err\n");
  ant_.WriteAt(AtSecond(2), kWeb, v1::STREAM_KIND_STDOUT, "one\n");
  ant_.Exit(kWeb, 0);
  EXPECT_EQ(OnOneScreen("logs web"), "one\nerr\n");
  EXPECT_EQ(Shoal("logs -t --stdout web"),
            (Said{0, "-                        one\n",
                  "shoal: ant: its agent does not tell when this was printed.\n"}));
}

class LogsOfTwoTest : public TwoAgentsTest {
 protected:
  // A web on each, whose lines come by turns; the second one's clock is an hour ahead.
  void PutTwo() {
    beetle_.SetClock(absl::Hours(1));
    v1::Process other = Running(kDb, "web");
    other.set_host("beetle");
    ant_.Put(Running(kWeb, "web"));
    beetle_.Put(other);
    for (int i = 0; i < 6; i += 2) {
      ant_.WriteAt(AtSecond(i), kWeb, v1::STREAM_KIND_STDOUT, absl::StrCat(i, "\n"));
      beetle_.WriteAt(AtSecond(i + 1) + absl::Hours(1), kDb, v1::STREAM_KIND_STDOUT,
                      absl::StrCat(i + 1, "\n"));
    }
  }

  static constexpr char kMerged[] =
      "ant/web │ 0\nbeetle/web │ 1\nant/web │ 2\nbeetle/web │ 3\n"
      "ant/web │ 4\nbeetle/web │ 5\n";
};

TEST_F(LogsOfTwoTest, FollowedHostsAreMergedAsFarAsTheirPastGoes) {
  PutTwo();
  std::thread agents([this] {
    ant_.AwaitCalls("ReadOutput", 1);
    beetle_.AwaitCalls("ReadOutput", 1);
    ant_.WriteAt(absl::Now(), kWeb, v1::STREAM_KIND_STDOUT, "late\n");
    ant_.Exit(kWeb, 0);
    beetle_.Exit(kDb, 0);
  });
  EXPECT_EQ(Shoal("logs -f web"), (Said{0, absl::StrCat(kMerged, "ant/web │ late\n"), ""}));
  agents.join();
}

// Its past is what it has sent when it says nothing more for a while.
TEST_F(LogsOfTwoTest, AFollowedHostThatSaysNothingDoesNotHoldUpTheOther) {
  PutTwo();
  std::thread reader([] {
    EXPECT_EQ(Shoal("logs -f web"), (Said{0, absl::StrCat(kMerged, "ant/web │ late\n"), ""}));
  });
  ant_.AwaitCalls("ReadOutput", 1);
  beetle_.AwaitCalls("ReadOutput", 1);
  ant_.WriteAt(absl::Now(), kWeb, v1::STREAM_KIND_STDOUT, "late\n");
  ant_.Exit(kWeb, 0);
  ant_.AwaitReaders(0);
  beetle_.Exit(kDb, 0);
  reader.join();
}

// Longer than one that has begun to send may be silent.
TEST_F(LogsOfTwoTest, AFollowedHostThatIsSlowToAnswerIsWaitedFor) {
  PutTwo();
  beetle_.Hold("ReadOutput");
  std::thread agents([this] {
    ant_.AwaitCalls("ReadOutput", 1);
    beetle_.AwaitCalls("ReadOutput", 1);
    absl::SleepFor(absl::Seconds(1));
    beetle_.Release("ReadOutput");
    ant_.Exit(kWeb, 0);
    beetle_.Exit(kDb, 0);
  });
  EXPECT_EQ(Shoal("logs -f web"), (Said{0, kMerged, ""}));
  agents.join();
}

TEST_F(LogsOfTwoTest, HostsAreMergedByTheirClocks) {
  PutTwo();
  ant_.Exit(kWeb, 0);
  beetle_.Exit(kDb, 0);
  EXPECT_EQ(Shoal("logs web"), (Said{0, kMerged, ""}));
}

}  // namespace
}  // namespace shoal::testing
