// agent, and commands without -H: the agent of this machine, and how one is started.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "client/cli/private_agent.h"
#include "common/cpu_count.h"
#include "shoal/host_list.h"
#include "tests/rpc/cli/agent_fixture.h"
#include "tests/rpc/cli/other_listener.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// As a user whose agent is below `home_`: that of root has a place of its own.
class AgentHereTest : public CommandTest {
 protected:
  AgentHereTest() {
    if (geteuid() != 0) return;
    EXPECT_EQ(chown(home_.c_str(), kNobody, kNobody), 0);
    EXPECT_EQ(seteuid(kNobody), 0);
  }
  ~AgentHereTest() override {
    if (getuid() != 0) return;
    EXPECT_EQ(seteuid(0), 0);
  }

  std::string socket() const { return home_ + "/shoal/shoald.sock"; }
  std::string log() const { return home_ + "/shoal/shoald.log"; }

  // An agent stands where that of this machine is looked for.
  void Serve(const FakeAgent& agent) const {
    std::filesystem::create_directory(home_ + "/shoal");
    std::filesystem::permissions(home_ + "/shoal", std::filesystem::perms::owner_all);
    std::filesystem::create_symlink(agent.socket_path(), socket());
  }
  // A process that waits for signals. With an agent, it is the one that listens on its socket, as far
  // as the kernel tells.
  static pid_t Child(const FakeAgent* agent = nullptr) {
    int told[2];
    EXPECT_EQ(pipe(told), 0);
    pid_t child = fork();
    if (child == 0 && agent != nullptr) ListenInPlaceOf(*agent);
    if (child == 0) close(told[0]);
    close(told[1]);
    if (child != 0) {
      char end = 0;
      EXPECT_EQ(read(told[0], &end, 1), 0);
      close(told[0]);
      return child;
    }
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);  // run_test.cc blocks some
    for (;;) pause();
  }
  // `shoal` finds a program in the place of shoald, which has these lines of sh.
  void Install(const std::string& lines) const {
    const std::string path = home_ + "/shoald";
    std::ofstream(path) << "#!/bin/sh\n" << lines << "\n";
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    setenv("SHOAL_SHOALD", path.c_str(), 1);
  }

 private:
  static constexpr uid_t kNobody = 65534;
};

struct Row {
  const char* line;
  int status;
  const char* said;
};

TEST_F(AgentHereTest, WithoutAnAgentThatIsSaid) {
  for (const Row& row : std::vector<Row>{
           {"hosts", 69, "no agent is running on this machine; `shoal agent start` starts one.\n"},
           {"doctor", 69, "no agent is running on this machine; `shoal agent start` starts one.\n"},
           {"agent stop", 0, "no agent is running on this machine.\n"},
           {"agent status -H x", 2,
            "there is no option -H for status. See `shoal agent status --help`.\n"},
           {"-H x agent status", 2,
            "`shoal agent` is about this machine only; -H has no meaning here.\n"},
           {"-H x agent start", 2,
            "`shoal agent` is about this machine only; -H has no meaning here.\n"},
           {"agent restart", 69,
            "no agent is running on this machine; `shoal agent start` starts one.\n"},
           {"-H x agent restart", 2,
            "`shoal agent` is about this machine only; -H has no meaning here.\n"},
           {"-H x agent stop", 2,
            "`shoal agent` is about this machine only; -H has no meaning here.\n"},
           {"agent", 2,
            "agent wants a command: start, restart, stop, status. See `shoal agent --help`.\n"},
       }) {
    EXPECT_EQ(Shoal(row.line), (Said{row.status, "", std::string("shoal: ") + row.said}))
        << row.line;
  }
  EXPECT_EQ(Shoal("agent status"),
            (Said{69, "", absl::StrCat("shoal: no agent answers on unix:", socket(), ".\n")}));
}

TEST_F(AgentHereTest, WhoAsksForProcessesStartsTheirOwnAndAsksIt) {
  for (const char* line : {"ps", "why web", "logs web", "wait web", "inspect web",
                           "signal TERM web", "stop web", "rm web"}) {
    FakeAgent ant("ant");
    ant.Put(Exited(kWeb, "web", 0));
    std::filesystem::remove(socket());
    Install(absl::StrCat("ln -s ", ant.socket_path(), " \"$2\"; echo ready >&3"));
    EXPECT_THAT(Shoal(line).err, StartsWith("shoal: started an agent for you on unix:")) << line;
    EXPECT_GT(ant.Calls("List"), 0) << line;
  }
}

TEST_F(AgentHereTest, StopAllStartsOneThatFindsWhatIsLeft) {
  FakeAgent ant("ant");
  const pid_t agent = Child(&ant);
  ant.Put(Running(kWeb, "web"));
  Install(absl::StrCat("ln -s ", ant.socket_path(), " \"$2\"; echo ready >&3"));
  EXPECT_EQ(
      Shoal("agent stop --all"),
      (Said{0, "",
            absl::StrCat("shoal: the agent (PID ", agent, ") has ended; no process is left.\n")}));
  EXPECT_EQ(ant.processes()[0].state(), v1::STATE_EXITED);
  EXPECT_EQ(waitpid(agent, nullptr, 0), agent);
}

constexpr char kAway[] =
    "shoal: the agent of this machine is not running; what it has started may live: `shoal agent "
    "start` (or `systemctl start shoald`) starts one that finds it, `shoald --terminate all` ends "
    "it "
    "without one.\n";

TEST_F(AgentHereTest, OneThatIsNotOursToStartIsAway) {
  Install("exit 1");
  setenv("SHOAL_AGENT", absl::StrCat("unix:", home_, "/gone.sock").c_str(), 1);
  const std::string gone = absl::StrCat(home_, "/gone.sock");
  const std::string away = absl::StrCat(
      "shoal: no agent answers on unix:", gone,
      ", which SHOAL_AGENT names; what it has started may live: start it again with its flags "
      "(shoald --socket ",
      gone, " …), or end it without one: shoald --socket ", gone, " --terminate all.\n");
  for (const char* line : {"ps", "why web", "stop web", "agent stop --all", "agent start"}) {
    EXPECT_EQ(Shoal(line), (Said{69, "", away})) << line;
  }
  EXPECT_EQ(RunCommand({"run", "--", "exit:0"}), (Said{69, "", away}));
}

TEST_F(AgentHereTest, OnlyWorkStartsThatOfRoot) {
  if (getuid() != 0) GTEST_SKIP() << "wants root";
  ASSERT_EQ(seteuid(0), 0);
  if (*cli::IsAnswering(DefaultSocketPath())) GTEST_SKIP() << "root's agent runs here";
  // The directory is that of the machine: which of the two it is depends on it.
  const std::string away =
      absl::StrCat("shoal: ", cli::AgentIsAway(DefaultSocketPath()).message(), ".\n");
  for (const char* line : {"ps", "logs web", "agent stop --all"}) {
    EXPECT_EQ(Shoal(line), (Said{69, "", away})) << line;
  }
}

TEST_F(AgentHereTest, OnlyOneThatHasLeftSomethingMayHaveStartedWhatLives) {
  EXPECT_EQ(absl::StrCat("shoal: ", cli::AgentIsAway(DefaultSocketPath(), home_).message(), ".\n"),
            kAway);
  EXPECT_EQ(
      cli::AgentIsAway(DefaultSocketPath(), home_ + "/none").message(),
      absl::StrCat("no agent is running on this machine, and none has left anything in ", home_,
                   "/none: `shoal agent start` (or `systemctl start shoald`) starts one"));
}

TEST_F(AgentHereTest, TheOneThatStartedThisProcessIsAsked) {
  FakeAgent ant("ant");
  ant.Put(Running(kWeb, "web"));
  setenv("SHOAL_AGENT", ant.hosts().c_str(), 1);
  EXPECT_THAT(Shoal("ps").out, HasSubstr("web"));
  EXPECT_EQ(ant.Calls("List"), 1);
  EXPECT_THAT(Shoal("agent status").out, HasSubstr(ant.socket_path()));
}

TEST_F(AgentHereTest, ASocketThatMayBeAnotherUsersIsToldNothing) {
  FakeAgent ant("ant");
  Serve(ant);
  std::filesystem::permissions(home_ + "/shoal", std::filesystem::perms::all);
  for (const char* line :
       {"ps", "agent status", "agent stop", "agent stop --all", "agent start", "hosts"}) {
    const Said said = Shoal(line);
    EXPECT_EQ(said.status, 1) << line;
    EXPECT_THAT(said.err, HasSubstr("is not trusted, and nothing was sent: others may write into"))
        << line;
  }
  EXPECT_EQ(RunCommand({"run", "--", "exit:0"}).status, 125);
  EXPECT_EQ(ant.Calls("Get") + ant.Calls("List") + ant.Calls("Open") + ant.Calls("GetHost"), 0);
  std::filesystem::permissions(home_ + "/shoal", std::filesystem::perms::owner_all);
}

TEST_F(AgentHereTest, ItsStatusIsARow) {
  FakeAgent ant("ant");
  Serve(ant);
  v1::Host facts;
  facts.set_agent_pid(4711);
  facts.set_agent_version("0.2.0");
  facts.set_live_processes(3);
  facts.set_open_sessions(1);
  facts.set_state_dir("/state");
  SetTime(facts.mutable_agent_start_time(), absl::Now() - absl::Minutes(330));
  ant.SetFacts(facts);
  const std::string spaces(socket().size() - 6 + 2, ' ');
  EXPECT_EQ(Shoal("agent status"),
            (Said{0,
                  absl::StrCat("PID   SOCKET", spaces,
                               "VERSION  SLOTS  PROCESSES  SESSIONS  SINCE  STATE DIRECTORY\n"
                               "4711  ",
                               socket(), "  0.2.0    2      3          1         5h     /state\n"),
                  ""}));
  EXPECT_THAT(Shoal("agent status --output json").out,
              StartsWith("{\"kind\":\"host\",\"host\":\"ant\""));
}

TEST_F(AgentHereTest, OneThatRunsIsNotStartedAgain) {
  FakeAgent ant("ant");
  Serve(ant);
  v1::Host facts;
  facts.set_agent_pid(4711);
  ant.SetFacts(facts);
  const std::string runs =
      absl::StrCat("shoal: an agent runs already on unix:", socket(), " (PID 4711, 2 slots).\n");
  EXPECT_EQ(Shoal("agent start"), (Said{0, "", runs}));
  EXPECT_EQ(Shoal("agent start -- --slots 4"),
            (Said{1, "",
                  absl::StrCat(
                      "shoal: an agent runs already on unix:", socket(),
                      " (PID 4711), without these flags; `shoal agent restart -- --slots 4` gives "
                      "them to the next one, and processes go on meanwhile.\n")}));
  EXPECT_THAT(Shoal("agent start -o json").out, StartsWith("{\"kind\":\"host\",\"host\":\"ant\""));
}

TEST_F(AgentHereTest, StartsOneWithTheFlagsThatWereGiven) {
  FakeAgent ant("ant");
  v1::Host facts;
  facts.set_agent_pid(4711);
  ant.SetFacts(facts);
  Install(absl::StrCat("echo \"$@\" >", home_, "/flags; ln -s ", ant.socket_path(),
                       " \"$2\"; echo ready >&3"));
  EXPECT_EQ(Shoal("agent start -- --slots 4"),
            (Said{0, "",
                  absl::StrCat("shoal: started an agent on unix:", socket(),
                               " (PID 4711, 2 slots).\n")}));
  std::string flags;
  std::getline(std::ifstream(home_ + "/flags"), flags);
  EXPECT_EQ(flags, absl::StrCat("--socket ", socket(), " --idle-exit 10m --ready-fd 3 --slots 4"));
}

TEST_F(AgentHereTest, WorkStartsOneAndSaysSo) {
  FakeAgent ant("ant");
  Install(absl::StrCat("ln -s ", ant.socket_path(), " \"$2\"; echo ready >&3"));
  Said said = RunCommand({"run", "-n", "1", "--", "out:hi", "exit:0"});
  EXPECT_EQ(said.out, "hi");
  EXPECT_EQ(said.err, absl::StrCat("shoal: started an agent for you on unix:", socket(), " (",
                                   CpuCount(), CpuCount() == 1 ? " slot" : " slots",
                                   "; stop it with `shoal agent stop`)\n"));
}

TEST_F(AgentHereTest, WhyItDoesNotStartIsSaid) {
  auto ended = [this](const std::string& why) {
    return Said{1, "",
                absl::StrCat("shoal: the agent ended before it was ready: ", why, " (log: ", log(),
                             ").\n")};
  };
  Install("exit 1");
  EXPECT_EQ(Shoal("agent start"), ended("it said nothing"));
  Install("echo 'the disk is full' >&3");
  EXPECT_EQ(Shoal("agent start"), ended("the disk is full"));
  Install("echo 'in the log' >&2");
  EXPECT_EQ(Shoal("agent start"), ended("in the log"));
  setenv("SHOAL_SHOALD", "/nowhere/shoald", 1);
  EXPECT_EQ(
      Shoal("agent start"),
      (Said{1, "", "shoal: cannot start the agent /nowhere/shoald: No such file or directory.\n"}));
}

TEST_F(AgentHereTest, WhereNoShoaldIsThatIsSaid) {
  const char* const set = getenv("PATH");
  ASSERT_NE(set, nullptr);
  const std::string path = set;
  setenv("PATH", home_.c_str(), 1);
  const absl::StatusOr<std::string> program = cli::FindAgentProgram(home_);
  setenv("PATH", path.c_str(), 1);
  EXPECT_EQ(std::string(program.status().message()),
            absl::StrCat("no agent runs on this machine, and there is no shoald to start one in ",
                         home_, ", ", home_, "/../sbin or PATH; SHOAL_SHOALD may name it"));
}

TEST_F(AgentHereTest, ADirectoryThatIsNotOursAloneIsRefused) {
  std::filesystem::create_directory(home_ + "/shoal");
  ASSERT_EQ(chmod((home_ + "/shoal").c_str(), 0755), 0);
  Said said = Shoal("agent start");
  EXPECT_EQ(said.status, 1);
  EXPECT_THAT(said.err, HasSubstr(absl::StrCat("directory of the socket ", home_, "/shoal")));
}

TEST_F(AgentHereTest, AStateDirectoryThatIsNotOursAloneIsRefused) {
  setenv("XDG_STATE_HOME", absl::StrCat(home_, "/state").c_str(), 1);
  std::filesystem::create_directories(home_ + "/state/shoal");
  std::filesystem::permissions(home_ + "/state/shoal", std::filesystem::perms::all);
  Install("exit 1");
  EXPECT_THAT(Shoal("agent start").err, HasSubstr(absl::StrCat("state directory ", home_)));
}

class AgentStopTest : public AgentHereTest {
 protected:
  AgentStopTest() : ant_("ant") {
    Serve(ant_);
    // In place of the agent's process.
    child_ = Child(&ant_);
  }
  ~AgentStopTest() override {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  std::string HasEnded() const {
    return absl::StrCat("shoal: the agent (PID ", child_, ") has ended");
  }

  FakeAgent ant_;
  pid_t child_ = 0;
};

TEST_F(AgentStopTest, SaysThatItHasEndedAndWhatRunsOn) {
  EXPECT_EQ(Shoal("agent stop"),
            (Said{0, "", absl::StrCat(HasEnded(), "; no process is left.\n")}));
}

TEST_F(AgentStopTest, InJsonTheHostIsToldAsItWasAtLast) {
  const Said said = Shoal("agent stop -o json");
  EXPECT_EQ(said.status, 0);
  EXPECT_EQ(said.out.find("{\"kind\":\"host\",\"host\":\"ant\""), 0u) << said;
  EXPECT_EQ(said.err, absl::StrCat(HasEnded(), "; no process is left.\n"));
}

TEST_F(AgentStopTest, OneThatNoCommandHasStartedIsNotRestarted) {
  EXPECT_EQ(
      Shoal("agent restart"),
      (Said{1, "",
            absl::StrCat("shoal: the agent (PID ", child_,
                         ") was not started by `shoal`: restart it as it was started, such as "
                         "by `systemctl restart shoald`.\n")}));
  EXPECT_EQ(kill(child_, 0), 0);
}

TEST_F(AgentStopTest, ProcessesRunOnUnlessAllAreToEnd) {
  v1::Host facts;
  facts.set_live_processes(2);
  ant_.SetFacts(facts);
  EXPECT_EQ(Shoal("agent stop"),
            (Said{0, "",
                  absl::StrCat(HasEnded(),
                               "; 2 processes of its keep running, and the next agent "
                               "finds them again.\n")}));
}

TEST_F(AgentStopTest, SaysWhatBecomesOfItsTemplates) {
  v1::Host facts;
  facts.set_live_templates(1);
  facts.mutable_template_dead_man()->set_seconds(600);
  ant_.SetFacts(facts);
  EXPECT_EQ(Shoal("agent stop"),
            (Said{0, "",
                  absl::StrCat(HasEnded(),
                               "; no process is left. 1 template ends in 10 min unless an agent is "
                               "started.\n")}));
}

TEST_F(AgentStopTest, SaysThatAPrivateOnesTemplatesEndWithIt) {
  v1::Host facts;
  facts.set_live_processes(1);
  facts.set_live_templates(2);
  ant_.SetFacts(facts);
  EXPECT_EQ(Shoal("agent stop"),
            (Said{0, "",
                  absl::StrCat(HasEnded(),
                               "; 1 process of its keeps running, and the next agent finds it "
                               "again. 2 templates end with it.\n")}));
}

TEST_F(AgentStopTest, AllEndsEveryProcessFirst) {
  ant_.Put(Running(kWeb, "web"));
  EXPECT_EQ(Shoal("agent stop --all"),
            (Said{0, "", absl::StrCat(HasEnded(), "; no process is left.\n")}));
  EXPECT_EQ(ant_.processes()[0].state(), v1::STATE_EXITED);
}

TEST_F(AgentStopTest, IsLeftRunningIfAProcessIs) {
  ant_.Put(Running(kWeb, "web"));
  ant_.Refuse(kWeb, 4, "1 process is left");
  EXPECT_EQ(Shoal("agent stop --all"),
            (Said{75, "",
                  "shoal: web (7KQ2MD) on ant: 1 process is left.\n"
                  "shoal: the agent was left running, since not all processes have ended.\n"}));
  EXPECT_EQ(waitpid(child_, nullptr, WNOHANG), 0);
}

TEST_F(AgentStopTest, SignalsTheOneThatListensNotTheOneThatItNames) {
  const pid_t bystander = Child();
  v1::Host facts;
  facts.set_agent_pid(bystander);
  ant_.SetFacts(facts);
  EXPECT_EQ(Shoal("agent stop"),
            (Said{0, "", absl::StrCat(HasEnded(), "; no process is left.\n")}));
  EXPECT_EQ(waitpid(bystander, nullptr, WNOHANG), 0) << "it was signalled";
  kill(bystander, SIGKILL);
  waitpid(bystander, nullptr, 0);
}

TEST_F(AgentStopTest, ThatItDoesNotEndIsSaidWithItsLog) {
  signal(SIGTERM, SIG_IGN);
  pid_t stubborn = Child(&ant_);
  signal(SIGTERM, SIG_DFL);
  const absl::StatusOr<ListenerHandle> agent = OpenListener(ant_.socket_path());
  ASSERT_TRUE(agent.ok()) << agent.status();
  absl::Status left = cli::EndAgent(*agent, absl::ZeroDuration());
  EXPECT_EQ(left.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(left.message(), absl::StrCat("the agent with PID ", stubborn,
                                         " has not ended 0 after SIGTERM; its log is ", log()));
  kill(stubborn, SIGKILL);
  waitpid(stubborn, nullptr, 0);
  EXPECT_EQ(cli::EndAgent(*agent, absl::ZeroDuration()).message(),
            absl::StrCat("cannot signal the agent with PID ", stubborn, ": No such process"));
  EXPECT_EQ(OpenListener(ant_.socket_path()).status().message(),
            absl::StrCat("cannot reach the agent with PID ", stubborn, ": No such process"));
}

}  // namespace
}  // namespace shoal::testing
