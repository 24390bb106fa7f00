// hosts and doctor: what agents tell of themselves, as it is printed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "client/cli/json.h"
#include "tests/rpc/cli/agent_fixture.h"

namespace shoal::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class HostsTest : public TwoAgentsTest {};

TEST_F(HostsTest, PsOfOneThatCannotBeReachedShowsTheOthers) {
  beetle_.Stop();
  ant_.Put(Exited(kSim, "sim", 0));
  Said said = Shoal("ps sim");
  EXPECT_EQ(said.status, 69);
  EXPECT_EQ(said.out.substr(0, 4), "NAME");
  EXPECT_EQ(said.err, absl::StrCat("shoal: host \"", beetle_.hosts(),
                                   "\" cannot be reached: no such file or directory (",
                                   beetle_.socket_path(), ").\n"));
}

TEST_F(HostsTest, AProcessBehindAHostIsThatOfTheHostOnly) {
  ant_.Put(Running(kWeb, "web"));
  v1::Process other = Running(kDb, "web");
  other.set_host("beetle");
  beetle_.Put(other);
  Said said = Shoal("inspect beetle/web");
  EXPECT_EQ(said.out.substr(0, 36), "id: BBBBBBBBBBBBBBBB\nname: web\npid: ") << said;
  EXPECT_EQ(said.out.find(kWeb), std::string::npos);
}

TEST_F(HostsTest, AreATableOfWhatTheyHave) {
  v1::Host facts;
  facts.set_agent_version("0.2.0");
  facts.set_live_processes(3);
  facts.set_load_1m(1.25);
  facts.set_memory_total_bytes(int64_t{62} << 30);
  facts.set_memory_available_bytes(int64_t{59} << 30);
  SetTime(facts.mutable_boot_time(), absl::Now() - absl::Hours(41 * 24 + 1));
  ant_.SetFacts(facts);
  beetle_.Stop();
  const std::string reason =
      absl::StrCat("unreachable: no such file or directory (", beetle_.socket_path(), ")");
  auto in_column = [](const std::string& text, const std::string& widest) {
    return absl::StrCat(text, std::string(widest.size() - text.size() + 2, ' '));
  };
  EXPECT_EQ(
      Shoal("hosts"),
      (Said{69,
            absl::StrCat(in_column("HOST", beetle_.hosts()), "SLOTS  FREE  LOAD  MEMORY          ",
                         in_column("AGENT", reason), "UPTIME\n",  //
                         in_column("ant", beetle_.hosts()), "2      0     1.2   3.0 / 62.0 GiB  ",
                         in_column("0.2.0", reason), "41d\n",  //
                         beetle_.hosts(), "  –      –     –     –               ", reason, "\n"),
            ""}));
}

TEST_F(HostsTest, AreCalledAsTheyWereAskedForWhereTwoLookAlike) {
  FakeAgent clone("ant");
  setenv("SHOAL_HOSTS", absl::StrCat(ant_.hosts(), ",", clone.hosts()).c_str(), 1);
  EXPECT_EQ(Shoal("hosts -q"),
            (Said{0, absl::StrCat(ant_.hosts(), "\n", clone.hosts(), "\n"), ""}));
  setenv("SHOAL_HOSTS", absl::StrCat(ant_.hosts(), ",", beetle_.hosts()).c_str(), 1);
  EXPECT_EQ(Shoal("hosts -q --sort=-host"), (Said{0, "beetle\nant\n", ""}));
  // The third one, too, so that one command calls hosts in one way; it may still be named by what it calls itself.
  setenv("SHOAL_HOSTS",
         absl::StrCat(ant_.hosts(), ",", clone.hosts(), ",", beetle_.hosts()).c_str(), 1);
  EXPECT_EQ(
      Shoal("hosts -q"),
      (Said{0, absl::StrCat(ant_.hosts(), "\n", clone.hosts(), "\n", beetle_.hosts(), "\n"), ""}));
  beetle_.Put(Exited(kWeb, "web", 3));
  EXPECT_EQ(Shoal("wait beetle/web").out, "web  exit code 3 after 30 s\n");
  EXPECT_EQ(Shoal("logs beetle/w*").status, 0);
  EXPECT_THAT(Shoal("ps bettle/web").err, HasSubstr("; did you mean \"beetle\"?"));
}

TEST_F(HostsTest, InJsonHaveTheirErrors) {
  beetle_.Stop();
  v1::Host facts;
  facts.set_name("ant");
  facts.set_agent_id("agent-ant");
  facts.set_boot_id("boot");
  facts.set_cores(2);
  facts.set_slots(2);
  Said said = Shoal("hosts -o json");
  EXPECT_EQ(said.status, 69);
  EXPECT_EQ(
      said.out,
      absl::StrCat(cli::HostLine("ant", facts), "{\"kind\":\"error\",\"host\":\"", beetle_.hosts(),
                   "\",\"id\":null,\"name\":null,\"rank\":null,\"code\":\"UNAVAILABLE\","
                   "\"message\":\"unreachable: no such file or directory (",
                   beetle_.socket_path(), ").\",\"exit_status\":69,\"start_failure\":null}\n"));
}

TEST_F(HostsTest, OneThatRefusesOrFailsIsNotSaidToBeUnreachable) {
  beetle_.FailNext("HostGet",
                   absl::PermissionDeniedError("identity spiffe://t/bob may not Get: no"));
  Said said = Shoal("hosts");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, HasSubstr("refused: identity spiffe://t/bob may not Get: no\n"));
  beetle_.FailNext("List", absl::PermissionDeniedError("identity spiffe://t/bob may not List: no"));
  EXPECT_THAT(Shoal("ps").err,
              HasSubstr("\" refuses this: identity spiffe://t/bob may not List: no."));
  beetle_.FailNext("HostGet", absl::InternalError("odd"));
  said = Shoal("hosts");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, HasSubstr("error: odd\n"));
}

class DoctorTest : public AgentCommandTest {
 protected:
  static void AddCheck(v1::Host* facts, const char* name, v1::Check::Result result,
                       const char* detail, const char* remedy) {
    v1::Check* check = facts->add_checks();
    check->set_name(name);
    check->set_result(result);
    check->set_detail(detail);
    check->set_remedy(remedy);
  }
};

TEST_F(DoctorTest, SaysWhatHoldsAndHowToMendWhatDoesNot) {
  v1::Host facts;
  AddCheck(&facts, "kernel", v1::Check::RESULT_OK, "6.1.0", "");
  AddCheck(&facts, "cgroup", v1::Check::RESULT_DEGRADED, "not writable", "mount it");
  AddCheck(&facts, "later", v1::Check::RESULT_UNSPECIFIED, "", "");
  ant_.SetFacts(facts);
  EXPECT_EQ(Shoal("doctor"), (Said{1,
                                   "HOST  PROMISE       HOLDS     BECAUSE OF\n"
                                   "ant   no orphan     degraded  cgroup\n"
                                   "ant   no lost exit  yes\n"
                                   "ant   no lost byte  yes\n"
                                   "ant   never twice   yes\n"
                                   "HOST  CHECK   RESULT    DETAIL\n"
                                   "ant   kernel  ok        6.1.0\n"
                                   "ant   cgroup  degraded  not writable\n"
                                   "ant   later   unknown\n"
                                   "To mend it on ant:\n"
                                   "  cgroup: mount it\n",
                                   ""}));
}

TEST_F(DoctorTest, WhatHasFailedIsAFailure) {
  v1::Host facts;
  AddCheck(&facts, "fd limit", v1::Check::RESULT_FAILED, "64", "raise \x1b it");
  ant_.SetFacts(facts);
  const Said said = Shoal("doctor");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, HasSubstr("HOST  CHECK     RESULT  DETAIL\n"
                                  "ant   fd limit  FAILED  64\n"
                                  "To mend it on ant:\n"
                                  "  fd limit: raise \\x1b it\n"));
  EXPECT_THAT(said.out, Not(HasSubstr("NO"))) << "it bears on no promise";
  EXPECT_THAT(Shoal("doctor -o json").out,
              AllOf(HasSubstr("{\"kind\":\"promise\",\"host\":\"ant\",\"name\":\"no orphan\","
                              "\"result\":\"RESULT_OK\",\"because\":\"\"}\n"),
                    ::testing::EndsWith("{\"kind\":\"check\",\"host\":\"ant\",\"name\":\"fd "
                                        "limit\",\"result\":\"RESULT_FAILED\",\"detail\":"
                                        "\"64\",\"remedy\":\"raise \\u001b it\"}\n")));
}

TEST_F(DoctorTest, NamesThePromisesThatDoNotHold) {
  v1::Host facts;
  AddCheck(&facts, "kernel", v1::Check::RESULT_FAILED, "4.19", "");
  AddCheck(&facts, "cgroup", v1::Check::RESULT_DEGRADED, "not writable", "");
  AddCheck(&facts, "state directory", v1::Check::RESULT_DEGRADED, "on NFS", "");
  AddCheck(&facts, "run directory", v1::Check::RESULT_DEGRADED, "slow, no more", "");
  ant_.SetFacts(facts);
  const Said said = Shoal("doctor");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.out, StartsWith("HOST  PROMISE       HOLDS     BECAUSE OF\n"
                                   "ant   no orphan     NO        kernel, cgroup\n"
                                   "ant   no lost exit  degraded  state directory\n"
                                   "ant   no lost byte  degraded  state directory\n"
                                   "ant   never twice   degraded  state directory\n"));
}

TEST_F(DoctorTest, OfAHostThatIsWellIsNoFailure) {
  v1::Host facts;
  AddCheck(&facts, "kernel", v1::Check::RESULT_OK, "6.1.0", "");
  ant_.SetFacts(facts);
  EXPECT_EQ(Shoal("doctor").status, 0);
  EXPECT_EQ(Shoal("doctor -o json").status, 0);
}

TEST_F(DoctorTest, OfAHostThatIsNotThereIsItsError) {
  ant_.Stop();
  EXPECT_EQ(Shoal("doctor").status, 69);
}

}  // namespace
}  // namespace shoal::testing
