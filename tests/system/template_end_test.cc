// What becomes of templates when their agent goes.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "tests/system/template_fixture.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;

bool HasEnded(pid_t pid) { return ProcessState(pid) == '?' || ProcessState(pid) == 'Z'; }

class TemplateEnd : public TemplateTest {
 protected:
  // A template from which a process was forked that goes on.
  void WarmUp(AgentProcess& agent) {
    web_ = agent.stub().Spawn(Forkserver({"append", Scratch("file")}, "web"));
    template_ = LiveTemplate(agent);
    for (pid_t pid : DescendantsOf(getpid())) {
      for (pid_t child : ChildrenOf(pid)) {
        if (child == template_.pid()) shim_ = pid;
      }
    }
    ASSERT_NE(shim_, 0);
  }
  // By the command; what it says.
  std::string StopAgent(AgentProcess& agent) {
    extra_env_["SHOAL_AGENT"] = agent.target();
    const CommandResult stopped = Shoal({"agent", "stop"});
    EXPECT_EQ(stopped.exit_code, 0) << stopped;
    agent.Stop();  // which has ended
    return stopped.err;
  }
  void AwaitEnd() {
    WaitUntil("template and shim have ended",
              [&] { return HasEnded(template_.pid()) && HasEnded(shim_); });
    EXPECT_FALSE(HasEnded(web_.pid())) << "what was forked from it is a process of its own";
  }

  v1::Process web_;
  v1::Process template_;
  pid_t shim_ = 0;
};

TEST_F(TemplateEnd, OfAnAgentThatEndsTheyAreNamedAndEndAtTheirDeadManTime) {
  AgentProcess& agent = StartAgent("ant", {"--dead-man", "2s"});
  WarmUp(agent);
  EXPECT_THAT(StopAgent(agent), HasSubstr(" 1 template ends in 2 s unless an agent is started."));
  EXPECT_THAT(agent.Log(), HasSubstr("; 1 process goes on; 1 template (work.py-template) ends in "
                                     "2s unless an agent is started"));
  AwaitEnd();
  ASSERT_TRUE(agent.Start());
  const v1::Process ended = agent.stub().Wait(template_.id(), v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(ended.exit().cause(), v1::CAUSE_DEAD_MAN);
  EXPECT_EQ(agent.stub().Get("web").state(), v1::STATE_RUNNING);
}

TEST_F(TemplateEnd, OfAKilledAgentTheyEndAtTheirDeadManTime) {
  AgentProcess& agent = StartAgent("ant", {"--dead-man", "2s"});
  WarmUp(agent);
  agent.Kill();
  AwaitEnd();
  ASSERT_TRUE(agent.Start());
  const v1::Process ended = agent.stub().Wait(template_.id(), v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(ended.exit().cause(), v1::CAUSE_DEAD_MAN);
}

TEST_F(TemplateEnd, WithTheNextAgentInTimeTheyGoOn) {
  AgentProcess& agent = StartAgent("ant", {"--dead-man", "4s"});
  WarmUp(agent);
  agent.Kill();
  ASSERT_TRUE(agent.Start());
  // More than the dead-man time.
  EXPECT_EQ(Shoal({"run", "-n", "1", "--", "sleep", "5"}).exit_code, 0);
  agent.stub().Spawn(Forkserver({"exit", "3"}, "next"));
  const v1::Process next = agent.stub().Wait("next", v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(next.exit().code(), 3);
  EXPECT_EQ(next.forked_from(), template_.id());
}

TEST_F(TemplateEnd, APrivateAgentEndsThemWithItself) {
  AgentProcess& agent = StartAgent("ant", {"--idle-exit", "1h"});
  WarmUp(agent);
  EXPECT_THAT(StopAgent(agent), HasSubstr(" 1 template ends with it."));
  EXPECT_THAT(agent.Log(), HasSubstr("; 1 template (work.py-template) ends with it"));
  AwaitEnd();
  ASSERT_TRUE(agent.Start());
  const v1::Process ended = agent.stub().Wait(template_.id(), v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(ended.termination().requested_by(), "shoald (it ends)");
}

}  // namespace
}  // namespace shoal::testing
