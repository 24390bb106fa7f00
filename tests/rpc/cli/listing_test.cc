// ps, inspect, why, hosts and doctor: what agents tell, as it is printed.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "client/cli/json.h"
#include "tests/rpc/cli/agent_fixture.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

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
  const char kTable[] =
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
  EXPECT_EQ(Shoal("doctor -o json").out,
            "{\"kind\":\"check\",\"host\":\"ant\",\"name\":\"fd "
            "limit\",\"result\":\"RESULT_FAILED\",\"detail\":"
            "\"64\",\"remedy\":\"raise \\u001b it\"}\n");
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

class WhyTest : public AgentCommandTest {};

TEST_F(WhyTest, WhatOfTheOutputIsNotKeptIsTold) {
  ant_.Put(Running(kWeb, "web"), "kept\n");
  ant_.WriteAndDrop(kWeb, v1::STREAM_KIND_STDOUT, 7);
  const char kGap[] = "Bytes 5 to 12 of its stdout are not kept: the cap was reached";
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
