// ps: what agents tell of their processes, as it is printed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/rpc/cli/agent_fixture.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;

class PsTest : public AgentCommandTest {
 protected:
  // Since 5 h 30 min; the columns have whole hours.
  static v1::Process Old(const std::string& id, const std::string& name) {
    v1::Process process = Running(id, name);
    SetTime(process.mutable_create_time(), absl::Now() - absl::Minutes(330));
    SetTime(process.mutable_start_time(), absl::Now() - absl::Minutes(330));
    return process;
  }
};

TEST_F(PsTest, ShowsWhatLivesAndWhatItUses) {
  v1::Process web = Old(kWeb, "web");
  web.mutable_spec()->add_argv("--title=two words");
  web.mutable_live_usage()->mutable_cpu_time()->set_seconds(3600);
  web.mutable_live_usage()->set_rss_bytes(int64_t{18} << 20);
  v1::Process waiting = Old(kDb, "waiting");
  waiting.set_state(v1::STATE_PENDING);
  waiting.set_pid(0);
  waiting.clear_start_time();
  ant_.Put(web);
  ant_.Put(waiting);
  ant_.Put(Exited(kSim, "sim", 0));
  EXPECT_EQ(Shoal("ps"),
            (Said{0,
                  "NAME     ID      HOST  PID    STATE    SINCE  CPU  RSS     COMMAND\n"
                  "web      7KQ2MD  ant   48213  running  5h     18%  18 MiB  serve "
                  "'--title=two words'\n"
                  "waiting  BBBBBB  ant   –      pending  5h     –    –       serve\n",
                  ""}));
}

TEST_F(PsTest, AnEndedOneIsShownWithAllOrByNameOrWhileItsTreeLives) {
  v1::Process sim = Exited(kSim, "sim", 3);
  SetTime(sim.mutable_exit_time(), absl::Now() - absl::Minutes(150));
  ant_.Put(sim);
  constexpr char kTable[] =
      "NAME  ID      HOST  PID    STATE      SINCE  CPU  RSS  COMMAND\n"
      "sim   SIMSIM  ant   48213  exited(3)  2h     –    –    serve\n";
  EXPECT_EQ(Shoal("ps").out, "NAME  ID  HOST  PID  STATE  SINCE  CPU  RSS  COMMAND\n");
  EXPECT_EQ(Shoal("ps -a"), (Said{0, kTable, ""}));
  EXPECT_EQ(Shoal("ps --all"), (Said{0, kTable, ""}));
  EXPECT_EQ(Shoal("ps sim"), (Said{0, kTable, ""}));
  sim.set_tree_empty(false);
  ant_.Put(sim);
  EXPECT_EQ(Shoal("ps"), (Said{0, kTable, ""}));
}

TEST_F(PsTest, WhatIsLeftOfATreeHasRowsOfItsOwnInPlaceOfADeadPid) {
  v1::Process sim = Exited(kSim, "sim", 0);
  SetTime(sim.mutable_exit_time(), absl::Now() - absl::Minutes(150));
  sim.set_tree_empty(false);
  sim.mutable_live_usage()->set_descendants(3);
  for (const int pid : {411, 412}) {
    v1::Survivor* member = sim.mutable_live_usage()->add_members();
    member->set_pid(pid);
    member->set_command("daemon");
  }
  ant_.Put(sim);
  EXPECT_EQ(Shoal("ps").out,
            "NAME  ID      HOST  PID  STATE      SINCE  CPU  RSS  COMMAND\n"
            "sim   SIMSIM  ant   –    exited(0)  2h     –    –    serve\n"
            "sim   SIMSIM  ant   411  left       –      –    –    daemon\n"
            "sim   SIMSIM  ant   412  left       –      –    –    daemon\n"
            "sim   SIMSIM  ant   …    left       –      –    –    and 1 more\n");
}

TEST_F(PsTest, AForkedOneNamesItsParentIfThatIsShownElseItsId) {
  v1::Process child = Old(kDb, "child");
  child.set_forked_from(kWeb);
  v1::Process stray = Old(kSim, "stray");
  stray.set_forked_from("GONEGONEGONEGONE");
  ant_.Put(Old(kWeb, "web"));
  ant_.Put(child);
  ant_.Put(stray);
  EXPECT_EQ(Shoal("ps").out,
            "NAME   ID      HOST  PID    STATE    SINCE  CPU  RSS  FROM    COMMAND\n"
            "web    7KQ2MD  ant   48213  running  5h     –    –    –       serve\n"
            "child  BBBBBB  ant   48213  running  5h     –    –    web     serve\n"
            "stray  SIMSIM  ant   48213  running  5h     –    –    GONEGO  serve\n");
}

TEST_F(PsTest, QuietlyAreTheIdsAlone) {
  ant_.Put(Old(kWeb, "web"));
  ant_.Put(Old(kDb, "db"));
  EXPECT_EQ(Shoal("ps -q"), (Said{0, absl::StrCat(kWeb, "\n", kDb, "\n"), ""}));
  EXPECT_EQ(Shoal("ps -q --sort name").out, absl::StrCat(kDb, "\n", kWeb, "\n"));
}

TEST_F(PsTest, CutsNothingAndShowsLabelsWhereThatIsWanted) {
  v1::Process web = Old(kWeb, "web");
  web.mutable_spec()->add_argv(std::string(80, 'x'));
  (*web.mutable_spec()->mutable_labels())["job"] = "render";
  ant_.Put(web);
  EXPECT_THAT(Shoal("ps").out, HasSubstr("  serve xxxxxxxxxx"));
  EXPECT_THAT(Shoal("ps").out, HasSubstr("xx…\n"));
  const std::string whole = Shoal("ps --no-trunc --labels").out;
  EXPECT_THAT(whole, HasSubstr(absl::StrCat("web   ", kWeb, "  ant ")));
  EXPECT_THAT(whole, HasSubstr(absl::StrCat("  job=render  serve ", std::string(80, 'x'), "\n")));
}

TEST_F(PsTest, AnUnknownKeyToSortByIsRefusedWithThoseThereAre) {
  EXPECT_EQ(
      Shoal("ps --sort size"),
      (Said{2, "",
            "shoal: --sort: there is no \"size\"; known are name, id, host, pid, state, since, "
            "command, cpu, rss. See `shoal ps --help`.\n"}));
}

TEST_F(PsTest, AnErrorIsAnObjectForScripts) {
  EXPECT_EQ(
      Shoal("ps -o json --sort size").out,
      "{\"kind\":\"error\",\"host\":null,\"id\":null,\"name\":null,\"rank\":null,\"code\":"
      "\"INVALID_ARGUMENT\",\"message\":\"--sort: there is no \\\"size\\\"; known are name, id, "
      "host, pid, state, since, command, cpu, rss. See `shoal ps --help`.\",\"exit_status\":2,"
      "\"start_failure\":null}\n");
  EXPECT_THAT(Shoal("ps -o json web").out, HasSubstr("\"code\":\"NOT_FOUND\""));
}

TEST_F(PsTest, IdsAreAsLongAsItTakesToTellThemApart) {
  ant_.Put(Old("7KQ2MDAAAAAAAAAA", "a"));
  ant_.Put(Old("7KQ2MDABAAAAAAAA", "b"));
  EXPECT_EQ(Shoal("ps").out,
            "NAME  ID        HOST  PID    STATE    SINCE  CPU  RSS  COMMAND\n"
            "a     7KQ2MDAA  ant   48213  running  5h     –    –    serve\n"
            "b     7KQ2MDAB  ant   48213  running  5h     –    –    serve\n");
}

TEST_F(PsTest, SelectsByGlobPrefixAndLabels) {
  v1::Process web = Running(kWeb, "web-1");
  (*web.mutable_spec()->mutable_labels())["job"] = "render";
  (*web.mutable_spec()->mutable_labels())["user"] = "ada";
  ant_.Put(web);
  ant_.Put(Running(kDb, "db"));
  for (const char* line : {"ps -o json web-*", "ps -o json 7KQ2", "ps -o json -l job=render",
                           "ps --output json --label job=render --label user=ada",
                           "-o json ps ant/web-1", "--output=json ps -l user=ada web-*"}) {
    Said said = Shoal(line);
    EXPECT_EQ(said.status, 0) << line;
    EXPECT_EQ(said.out.find("{\"kind\":\"process\",\"host\":\"ant\",\"id\":\"7KQ2MDAAAAAAAAAA\","
                            "\"name\":\"web-1\",\"rank\":null,\"pid\":48213,"
                            "\"state\":\"STATE_RUNNING\","),
              0u)
        << line << "\n"
        << said;
    EXPECT_EQ(said.out.find('\n'), said.out.size() - 1) << "one line, one process: " << line;
  }
}

TEST_F(PsTest, ValuesOfAnEnvironmentThatAreForgottenAreSaidToBe) {
  v1::Process ended = Exited(kSim, "sim", 0);
  ended.mutable_spec()->add_env("TOKEN");
  ant_.Put(ended);
  EXPECT_EQ(Shoal("inspect sim").err, "");
  const Said said = Shoal("inspect --env sim");
  EXPECT_EQ(said.status, 0);
  EXPECT_EQ(
      said.err,
      "shoal: of sim only the names of the environment are known: an agent forgets the values "
      "when a process has ended, and tells them to its owner.\n");
  v1::Process web = Running(kWeb, "web");
  web.mutable_spec()->add_env("TOKEN=x");
  web.mutable_spec()->add_env("BARE");
  ant_.Put(web);
  EXPECT_EQ(Shoal("inspect --env web").err, "");
}

TEST_F(PsTest, AProcessMayBeCalledAsACommand) {
  ant_.Put(Running(kWeb, "stop"));
  EXPECT_EQ(Shoal("inspect stop").out.substr(0, 21), "id: 7KQ2MDAAAAAAAAAA\n");
  EXPECT_EQ(Shoal("wait --timeout 0 stop").out, "stop  running\n");
  EXPECT_EQ(ant_.Calls("Terminate"), 0);
}

TEST_F(PsTest, WhatIsNotThereIsNamedWithTheHosts) {
  ant_.Put(Running(kDb, "db"));
  EXPECT_EQ(Shoal("ps web ant/x"),
            (Said{1, "",
                  "shoal: no process on ant is called \"web\" or \"ant/x\"; `shoal ps -a` lists "
                  "them.\n"}));
  EXPECT_EQ(
      Shoal("signal TERM 4711"),
      (Said{1, "",
            "shoal: no process on ant is called \"4711\" (a PID selects nothing: a name or an "
            "id does); `shoal ps -a` lists them.\n"}));
  EXPECT_EQ(Shoal("ps -l job=x db").err,
            "shoal: no process on ant is called \"db\" and has job=x; `shoal ps -a` lists them.\n");
  EXPECT_EQ(Shoal("ps -l job=x w*"),
            (Said{1, "", "shoal: no process on ant matches w*, -l job=x.\n"}));
}

TEST_F(PsTest, AHostBeforeASlashThatIsNoneOfOursIsNamed) {
  FakeAgent beetle("beetle");
  setenv("SHOAL_HOSTS", absl::StrCat(ant_.hosts(), ",", beetle.hosts()).c_str(), 1);
  ant_.Put(Running(kDb, "db"));
  for (const char* line :
       {"ps db bee/db", "ps bee/*", "inspect bee/db", "why bee/db", "logs bee/db", "logs -f bee/*",
        "watch bee/db", "watch bee/*", "input bee/db", "attach bee/db", "signal TERM bee/db",
        "stop bee/db", "wait bee/db", "rm bee/*"}) {
    EXPECT_EQ(Shoal(line), (Said{1, "", "shoal: there is no host \"bee\" among ant,beetle.\n"}))
        << line;
  }
  EXPECT_EQ(Shoal("ps betle/db"),
            (Said{1, "",
                  "shoal: there is no host \"betle\" among ant,beetle; did you mean "
                  "\"beetle\"?\n"}));
  EXPECT_EQ(Shoal(absl::StrCat("ps ant/db ", ant_.hosts(), "/db")).status, 0);
}

}  // namespace
}  // namespace shoal::testing
