// why and inspect: what is known of one process, as it is printed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/rpc/cli/agent_fixture.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class WhyTest : public AgentCommandTest {};

TEST_F(WhyTest, WhatOfTheOutputIsNotKeptIsTold) {
  ant_.Put(Running(kWeb, "web"), "kept\n");
  ant_.WriteAndDrop(kWeb, v1::STREAM_KIND_STDOUT, 7);
  constexpr char kGap[] = "Bytes 5 to 12 of its stdout are not kept: the cap was reached";
  EXPECT_THAT(Shoal("why web").out, HasSubstr(kGap));
  EXPECT_THAT(Shoal("why -o json web").out, HasSubstr(kGap));
  ant_.SetReadsAsBefore();
  EXPECT_THAT(Shoal("why web").out, HasSubstr("result 0 bytes, nothing dropped."));
}

TEST_F(WhyTest, IsOneParagraphEach) {
  ant_.Put(Exited(kWeb, "web", 3));
  ant_.Put(Exited(kDb, "db", 0));
  EXPECT_EQ(
      Shoal("why web db"),
      (Said{0,
            "web (7KQ2MD) was started on ant at 2026-03-01 14:02:11 by uid 1000 as PID 48213 "
            "(serve). It ended by itself at 2026-03-01 14:02:41 with exit code 3, after 30 s. "
            "Its tree was seen empty. stdout 0 bytes, stderr 0 bytes, result 0 bytes, nothing "
            "dropped.\n\n"
            "db (BBBBBB) was started on ant at 2026-03-01 14:02:11 by uid 1000 as PID 48213 "
            "(serve). It ended by itself at 2026-03-01 14:02:41 with exit code 0, after 30 s. "
            "Its tree was seen empty. stdout 0 bytes, stderr 0 bytes, result 0 bytes, nothing "
            "dropped.\n",
            ""}));
  EXPECT_THAT(Shoal("why -o json web").out,
              HasSubstr(",\"story\":\"web (7KQ2MD) was started on ant at "));
}

TEST_F(WhyTest, InspectHasEachFieldOnALine) {
  v1::Process process = Running(kWeb, "web");
  ant_.Put(process);
  EXPECT_EQ(Shoal("inspect web"), (Said{0,
                                        "id: 7KQ2MDAAAAAAAAAA\n"
                                        "name: web\n"
                                        "pid: 48213\n"
                                        "host: ant\n"
                                        "state: running\n"
                                        "spec:\n"
                                        "  argv: serve\n"
                                        "create_time: 2026-03-01 14:02:10.000 +0000\n"
                                        "start_time: 2026-03-01 14:02:11.000 +0000\n"
                                        "output:\n"
                                        "  stream: stdout\n"
                                        "output:\n"
                                        "  stream: stderr\n"
                                        "output:\n"
                                        "  stream: result\n"
                                        "owner: uid:1000\n"
                                        "revision: 2\n",
                                        ""}));
  EXPECT_EQ(Shoal("inspect -o json web").out.find("{\"kind\":\"process\",\"host\":\"ant\","), 0u);
}

TEST_F(WhyTest, InspectShowsNamesOfTheEnvironmentAndValuesOnRequest) {
  v1::Process process = Running(kWeb, "web");
  process.mutable_spec()->add_env("PATH=/bin");
  process.mutable_spec()->add_env("TOKEN=s3cret");
  ant_.Put(process);
  const std::string names = Shoal("inspect web").out;
  EXPECT_THAT(names, HasSubstr("  env: PATH TOKEN\n"));
  EXPECT_THAT(names, Not(HasSubstr("s3cret")));
  EXPECT_THAT(Shoal("inspect --env web").out, HasSubstr("  env: PATH=/bin TOKEN=s3cret\n"));
  ant_.FailNext("Get", absl::PermissionDeniedError("values are for its owner"));
  const Said refused = Shoal("inspect --env web");
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.out, HasSubstr("name: web\n")) << "what else is known is shown";
  EXPECT_EQ(refused.err, "shoal: values are for its owner.\n");
}

TEST_F(WhyTest, ASelectorThatIsNoUtf8IsRefused) {
  ant_.Put(Running(kWeb, "web"));
  for (const char* verb :
       {"ps", "inspect", "why", "rm", "stop", "signal TERM", "wait", "logs", "watch", "attach"}) {
    EXPECT_EQ(Shoal(absl::StrCat(verb, " \xff")),
              (Said{2, "", "shoal: the selector \"\\xff\" is not UTF-8, as all names are.\n"}))
        << verb;
  }
  EXPECT_EQ(Shoal("ps -l key=\xff"),
            (Said{2, "", "shoal: -l \"key=\\xff\" is not UTF-8, as all names are.\n"}));
  EXPECT_EQ(ant_.Calls("List"), 0);
}

struct Wanting {
  const char* verb;
  const char* what;
};

TEST_F(WhyTest, NothingSelectedIsAskedFor) {
  for (const Wanting& row : std::vector<Wanting>{{"inspect", "inspect"},
                                                 {"why", "tell about"},
                                                 {"logs", "show the output of"},
                                                 {"wait", "wait for"},
                                                 {"signal TERM", "signal"},
                                                 {"stop", "stop"},
                                                 {"rm", "forget"}}) {
    EXPECT_EQ(Shoal(row.verb),
              (Said{2, "",
                    absl::StrCat("shoal: say which processes to ", row.what,
                                 ": a name, a glob ('*' for all), an id, HOST/NAME, or -l "
                                 "key=value.\n")}));
    EXPECT_EQ(Shoal(absl::StrCat(row.verb, " web/")),
              (Said{2, "",
                    "shoal: \"web/\" selects nothing; try a name, a glob such as 'web-*', an id, "
                    "or HOST/NAME.\n"}));
  }
}

}  // namespace
}  // namespace shoal::testing
