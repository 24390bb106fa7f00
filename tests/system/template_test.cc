// Start methods end to end: agent, shim, command line, and a template in Python.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <vector>

#include "absl/strings/match.h"
#include "shoal/v1/template_service.grpc.pb.h"
#include "tests/system/template_fixture.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

bool HasEnded(pid_t pid) { return ProcessState(pid) == '?' || ProcessState(pid) == 'Z'; }

class Template : public TemplateTest {
 protected:
  void SetUp() override {
    TemplateTest::SetUp();
    gate_ = Scratch("gate");
    ASSERT_EQ(mkfifo(gate_.c_str(), 0600), 0);
  }
  // Lets the process that waits at the gate end with `code`.
  void OpenGate(int code) {
    const int fd = open(gate_.c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    const std::string text = absl::StrCat(code);
    EXPECT_EQ(write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    close(fd);
  }
  std::string gate_;
};

TEST_F(Template, AForkedProcessIsAProcessLikeAnyOther) {
  AgentProcess& agent = StartAgent("ant");
  v1::ProcessSpec spec = Forkserver({"tell", "a", "b"}, "web");
  spec.set_cwd("/tmp");
  const v1::Process started = agent.stub().Spawn(spec);
  const v1::Process process = agent.stub().Wait("web", v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(process.exit().code(), 0);
  EXPECT_TRUE(process.tree_empty());
  const v1::Process parent = LiveTemplate(agent);
  EXPECT_EQ(process.forked_from(), parent.id());
  const std::string out = agent.stub().Output("web", v1::STREAM_KIND_STDOUT);
  EXPECT_THAT(out, HasSubstr(absl::StrCat(started.pid(), " ")));
  EXPECT_THAT(out, HasSubstr(absl::StrCat(" ", started.pid(), " web /tmp None ['a', 'b']")));
  EXPECT_THAT(out, HasSubstr(absl::StrCat("loaded by ", parent.pid())));
  EXPECT_EQ(agent.stub().Output("web", v1::STREAM_KIND_STDERR), "and on stderr\n");
}

TEST_F(Template, CodesAndSignalsAreToldAsTheyAre) {
  AgentProcess& agent = StartAgent("ant");
  agent.stub().Spawn(Forkserver({"exit", "7"}, "seven"));
  agent.stub().Spawn(Forkserver({"die", absl::StrCat(SIGUSR1)}, "shot"));
  EXPECT_EQ(agent.stub().Wait("seven", v1::WaitRequest::UNTIL_EMPTY).exit().code(), 7);
  EXPECT_EQ(agent.stub().Wait("shot", v1::WaitRequest::UNTIL_EMPTY).exit().signal(), SIGUSR1);
}

TEST_F(Template, AForkedProcessIsTerminatedAloneAndItsTemplateGoesOn) {
  AgentProcess& agent = StartAgent("ant");
  agent.stub().Spawn(Forkserver({"append", Scratch("file")}, "web"));
  agent.stub().Spawn(Forkserver({"append", Scratch("file")}, "other"));
  const CommandResult stopped = Shoal({"stop", "web"});
  EXPECT_EQ(stopped.exit_code, 0) << stopped;
  EXPECT_EQ(agent.stub().Get("web").exit().signal(), SIGTERM);
  EXPECT_EQ(agent.stub().Get("other").state(), v1::STATE_RUNNING);
  EXPECT_NE(LiveTemplate(agent).pid(), 0);
}

TEST_F(Template, AStoppedTemplateLeavesWhatWasForkedFromIt) {
  AgentProcess& agent = StartAgent("ant");
  agent.stub().Spawn(Forkserver({"gate", gate_}, "web"));
  const CommandResult stopped = Shoal({"stop", "work.py-template"});
  EXPECT_EQ(stopped.exit_code, 0) << stopped;
  EXPECT_EQ(agent.stub().Get("web").state(), v1::STATE_RUNNING);
  OpenGate(9);
  EXPECT_EQ(agent.stub().Wait("web", v1::WaitRequest::UNTIL_EMPTY).exit().code(), 9);
}

TEST_F(Template, TheCommandLineForksAndShowsParentage) {
  AgentProcess& agent = StartAgent("ant");
  const CommandResult ran =
      Shoal({"run", "-n", "1", "--start-method", "forkserver", "--", script(), "exit", "3"});
  EXPECT_EQ(ran.exit_code, 3) << ran;
  const CommandResult plain = Shoal({"ps"});
  EXPECT_THAT(plain.out, Not(HasSubstr("FROM"))) << plain;
  const CommandResult started = Shoal({"start", "--name", "web", "--start-method", "forkserver",
                                       "--", script(), "append", Scratch("f")});
  EXPECT_EQ(started.exit_code, 0) << started;
  const CommandResult listed = Shoal({"ps", "web", "work.py-template"});
  EXPECT_THAT(listed.out, HasSubstr("FROM")) << listed;
  const CommandResult why = Shoal({"why", "web"});
  EXPECT_THAT(why.out, HasSubstr("It was forked from its program's template")) << why;
  const CommandResult wrong = Shoal({"start", "--start-method", "magic", "--", "true"});
  EXPECT_EQ(wrong.exit_code, 2) << wrong;
  EXPECT_THAT(wrong.err, HasSubstr("none of spawn, forkserver, fork:NAME")) << wrong;
  EXPECT_NE(LiveTemplate(agent).pid(), 0);
}

TEST_F(Template, ATemplateHasWhatWasShippedInlineToo) {
  AgentProcess& agent = StartAgent("ant");
  const std::string ship = script() + ":sent.py";
  for (const std::vector<std::string>& program :
       std::vector<std::vector<std::string>>{{"./sent.py"}, {"/usr/bin/python3", "sent.py"}}) {
    std::vector<std::string> words = {"run",        "-n", "1", "--ship", ship, "--start-method",
                                      "forkserver", "--"};
    words.insert(words.end(), program.begin(), program.end());
    words.insert(words.end(), {"tell", "x"});
    const CommandResult ran = Shoal(words);
    EXPECT_EQ(ran.exit_code, 0) << ran;
    EXPECT_THAT(ran.out, HasSubstr("['x'] loaded by "));
  }
  WaitUntil("the audit has the forks", [&] { return absl::StrContains(agent.Audit(), "Spawn"); });
  EXPECT_THAT(agent.Audit(), Not(HasSubstr("\"Write\""))) << "the script is too long to go inline";
}

TEST_F(Template, AKilledTemplateCostsNothingThatRunsAndIsReplaced) {
  AgentProcess& agent = StartAgent("ant");
  agent.stub().Spawn(Forkserver({"gate", gate_}, "web"));
  const v1::Process first = LiveTemplate(agent);
  KillHard(first.pid());
  agent.stub().Wait(first.id(), v1::WaitRequest::UNTIL_EMPTY);
  agent.stub().Spawn(Forkserver({"exit", "0"}, "next"));
  EXPECT_EQ(agent.stub().Wait("next", v1::WaitRequest::UNTIL_EMPTY).exit().code(), 0);
  EXPECT_NE(LiveTemplate(agent).id(), first.id());
  EXPECT_EQ(agent.stub().Get("web").state(), v1::STATE_RUNNING);
  OpenGate(5);
  EXPECT_EQ(agent.stub().Wait("web", v1::WaitRequest::UNTIL_EMPTY).exit().code(), 5);
}

TEST_F(Template, ATemplateThatCannotBecomeWarmIsOneClearErrorAndTheNextOneWorks) {
  AgentProcess& agent = StartAgent("ant");
  WriteFile(script() + ".broken", "");
  const grpc::Status refused = SpawnRefused(agent, Forkserver({"exit", "0"}, "web"));
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(), HasSubstr("exited with code 1"));
  EXPECT_THAT(refused.error_message(), HasSubstr("cannot load the mesh"));
  ASSERT_EQ(unlink((script() + ".broken").c_str()), 0);
  agent.stub().Spawn(Forkserver({"exit", "0"}, "web"));
  EXPECT_EQ(agent.stub().Wait("web", v1::WaitRequest::UNTIL_EMPTY).exit().code(), 0);
}

TEST_F(Template, AProgramThatDoesNotExistIsRefusedAsWithoutTemplate) {
  AgentProcess& agent = StartAgent("ant");
  v1::ProcessSpec spec = SpecOf({Scratch("nowhere")}, "web");
  spec.set_start_method(v1::START_METHOD_FORKSERVER);
  const grpc::Status refused = SpawnRefused(agent, spec);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(), HasSubstr("No such file or directory"));
  for (const v1::Process& process : agent.stub().List()) EXPECT_EQ(process.name(), "web");
}

TEST_F(Template, AChangedProgramIsForkedFromAnewTemplate) {
  AgentProcess& agent = StartAgent("ant");
  agent.stub().Spawn(Forkserver({"exit", "0"}, "before"));
  const v1::Process old = LiveTemplate(agent);
  std::ofstream(script(), std::ios::app) << "# changed\n";
  agent.stub().Spawn(Forkserver({"exit", "0"}, "after"));
  const v1::Process ended = agent.stub().Wait(old.id(), v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_THAT(ended.termination().requested_by(), HasSubstr("changed"));
  EXPECT_NE(agent.stub().Get("after").forked_from(), old.id());
}

TEST_F(Template, TheServiceWarmsListsAndEnds) {
  AgentProcess& agent = StartAgent("ant");
  auto stub = v1::TemplateService::NewStub(agent.stub().channel());
  v1::TemplateServiceCreateRequest create;
  create.set_request_id(NewRequestId());
  create.mutable_spec()->add_argv(script());
  (*create.mutable_spec()->mutable_labels())["team"] = "mesh";
  create.mutable_idle_timeout()->set_seconds(100);
  v1::TemplateServiceCreateResponse created;
  {
    CallContext context;
    const grpc::Status status = stub->Create(&context, create, &created);
    ASSERT_TRUE(status.ok()) << Describe(status);
  }
  EXPECT_EQ(created.template_().state(), v1::Template::STATE_WARM);
  EXPECT_EQ(created.template_().process().spec().labels().at("team"), "mesh");
  agent.stub().Spawn(Forkserver({"exit", "0"}, "web"));
  agent.stub().Wait("web", v1::WaitRequest::UNTIL_EMPTY);
  v1::TemplateServiceListResponse listed;
  {
    CallContext context;
    ASSERT_TRUE(stub->List(&context, v1::TemplateServiceListRequest(), &listed).ok());
  }
  ASSERT_EQ(listed.templates_size(), 1);
  EXPECT_EQ(listed.templates(0).process().id(), created.template_().process().id());
  EXPECT_EQ(listed.templates(0).forks(), 1);
  EXPECT_EQ(listed.templates(0).idle_timeout().seconds(), 100);
  v1::TemplateServiceDeleteRequest remove;
  remove.set_request_id(NewRequestId());
  remove.add_templates("work.py-template");
  v1::TemplateServiceDeleteResponse removed;
  {
    CallContext context;
    const grpc::Status status = stub->Delete(&context, remove, &removed);
    ASSERT_TRUE(status.ok()) << Describe(status);
  }
  ASSERT_EQ(removed.processes_size(), 1);
  EXPECT_TRUE(removed.processes(0).tree_empty());
}

TEST_F(Template, AnIdleTemplateEndsByItself) {
  AgentProcess& agent = StartAgent("ant");
  auto stub = v1::TemplateService::NewStub(agent.stub().channel());
  v1::TemplateServiceCreateRequest create;
  create.set_request_id(NewRequestId());
  create.mutable_spec()->add_argv(script());
  create.mutable_idle_timeout()->set_seconds(1);
  v1::TemplateServiceCreateResponse created;
  CallContext context;
  ASSERT_TRUE(stub->Create(&context, create, &created).ok());
  const v1::Process ended =
      agent.stub().Wait(created.template_().process().id(), v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_THAT(ended.termination().requested_by(), HasSubstr("idle"));
}

TEST_F(Template, TheAgentKilledFindsItsTemplateAndWhatWasForkedAgain) {
  AgentProcess& agent = StartAgent("ant");
  agent.stub().Spawn(Forkserver({"gate", gate_}, "web"));
  const v1::Process before = LiveTemplate(agent);
  agent.Kill();
  OpenGate(6);
  ASSERT_TRUE(agent.Start());
  EXPECT_EQ(agent.stub().Wait("web", v1::WaitRequest::UNTIL_EMPTY).exit().code(), 6);
  agent.stub().Spawn(Forkserver({"exit", "0"}, "next"));
  const v1::Process next = agent.stub().Wait("next", v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(next.exit().code(), 0);
  EXPECT_EQ(next.forked_from(), before.id());
  EXPECT_EQ(LiveTemplate(agent).pid(), before.pid());
}

TEST_F(Template, AKilledShimOfAForkedProcessCostsThatProcessAlone) {
  AgentProcess& agent = StartAgent("ant");
  const v1::Process web = agent.stub().Spawn(Forkserver({"append", Scratch("f")}, "web"));
  agent.stub().Spawn(Forkserver({"append", Scratch("g")}, "other"));
  const v1::Process parent = LiveTemplate(agent);
  pid_t shim = 0;
  for (pid_t pid : DescendantsOf(getpid())) {
    for (pid_t child : ChildrenOf(pid)) {
      if (child == web.pid()) shim = pid;
    }
  }
  KillHard(shim);
  const v1::Process lost = agent.stub().Wait("web", v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(lost.state(), v1::STATE_LOST);
  EXPECT_EQ(lost.exit().unknown().reason(), v1::CAUSE_SHIM_LOST);
  WaitUntil("the process has ended", [&] { return HasEnded(web.pid()); });
  EXPECT_EQ(agent.stub().Get("other").state(), v1::STATE_RUNNING);
  EXPECT_EQ(LiveTemplate(agent).pid(), parent.pid());
  agent.stub().Spawn(Forkserver({"exit", "4"}, "next"));
  EXPECT_EQ(agent.stub().Wait("next", v1::WaitRequest::UNTIL_EMPTY).exit().code(), 4);
}

TEST_F(Template, AThousandForksLeaveNothingBehind) {
  AgentProcess& agent = StartAgent("ant", {"--idle-shims=0"});
  agent.stub().Spawn(Forkserver({"exit", "0"}, "first"));
  agent.stub().Wait("first", v1::WaitRequest::UNTIL_EMPTY);
  const v1::Process parent = LiveTemplate(agent);
  const size_t template_fds = FdsOf(parent.pid());
  size_t agent_fds = 0;
  uintmax_t records = 0;
  for (int round = 0; round < 10; ++round) {
    v1::SpawnBatchRequest request;
    request.set_request_id(NewRequestId());
    *request.add_specs() = Forkserver({"exit", "0"}, absl::StrCat("r", round));
    request.mutable_ranks()->set_count(100);
    request.mutable_ranks()->set_world_size(100);
    v1::SpawnBatchResponse response;
    CallContext context;
    const grpc::Status status = agent.stub().processes().SpawnBatch(&context, request, &response);
    ASSERT_TRUE(status.ok()) << Describe(status);
    for (const auto& result : response.results()) {
      ASSERT_TRUE(result.has_process()) << result.error().message();
    }
    v1::WaitRequest wait;
    wait.mutable_selector()->add_terms(absl::StrCat("r", round, ".*"));
    wait.set_until(v1::WaitRequest::UNTIL_EMPTY);
    v1::WaitResponse waited;
    CallContext wait_context;
    ASSERT_TRUE(agent.stub().processes().Wait(&wait_context, wait, &waited).ok());
    EXPECT_THAT(waited.processes(), SizeIs(100));
    for (const v1::Process& process : waited.processes()) EXPECT_EQ(process.exit().code(), 0);
    if (round == 0) {
      WaitUntil("the agent has let the shims of the first round go", [&] {
        agent_fds = FdsOf(agent.pid());
        return agent_fds < 60;
      });
      records = std::filesystem::file_size(agent.run_dir() + "/records");
    }
  }
  WaitUntil("the template has reaped all", [&] { return ChildrenOf(parent.pid()).empty(); });
  // Counted while it may have been busy with the first: more than a few is a leak all the same.
  WaitUntil("the template has no descriptor more",
            [&] { return FdsOf(parent.pid()) <= template_fds; });
  WaitUntil("the agent has no descriptor more", [&] { return FdsOf(agent.pid()) <= agent_fds; });
  EXPECT_LE(std::filesystem::file_size(agent.run_dir() + "/records"), 2 * records);
  WaitUntil("only the template's shim is left of all",
            [&] { return DescendantsWith("--adopt").empty(); });
}

TEST_F(Template, ARunningProcessIsForkedWithWhatItHasLoaded) {
  AgentProcess& agent = StartAgent("ant");
  const v1::Process load = agent.stub().Spawn(SpecOf({script(), "offer"}, "load"));
  agent.stub().Spawn(ForkOf("load", {"tell", "x"}, "child"));
  const v1::Process child = agent.stub().Wait("child", v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(child.exit().code(), 0);
  EXPECT_EQ(child.forked_from(), load.id());
  EXPECT_THAT(agent.stub().Output("child", v1::STREAM_KIND_STDOUT),
              HasSubstr(absl::StrCat("['x'] loaded by ", load.pid())));
  EXPECT_THAT(agent.stub().Output("load", v1::STREAM_KIND_STDOUT), IsEmpty());
  const CommandResult why = Shoal({"why", "child"});
  EXPECT_THAT(why.out, HasSubstr("It was forked from load (")) << why;
  EXPECT_EQ(
      Shoal({"run", "-n", "1", "--start-method", "fork:load", "--", "x", "exit", "8"}).exit_code,
      8);
}

TEST_F(Template, WhoLoadsForLongIsGivenItsTime) {
  AgentProcess& agent = StartAgent("ant");
  RunTool({"mkfifo", Scratch("loads")});
  agent.stub().Spawn(SpecOf({script(), "offer", "gate", Scratch("loads")}, "load"));
  auto fork = [this](const std::string& wait) {
    return StartShoal({"run", "-n", "1", "--start-method", "fork:load", "--fork-wait", wait, "--",
                       "x", "exit", "8"});
  };
  const CommandResult refused = fork("0s")->Wait();
  EXPECT_EQ(refused.exit_code, 125) << refused;
  EXPECT_THAT(refused.err, HasSubstr("does not offer itself to be forked; --fork-wait would wait"));
  auto waits = fork("10m");
  WaitUntil("the fork is known", [&] { return agent.stub().List().size() == 2; });
  WriteFile(Scratch("loads"), "");
  EXPECT_EQ(waits->Wait().exit_code, 8);
  const CommandResult wrong = Shoal({"start", "--fork-wait", "1s", "--", "true"});
  EXPECT_EQ(wrong.exit_code, 2) << wrong;
  EXPECT_THAT(wrong.err, HasSubstr("--fork-wait is for --start-method fork:NAME"));
}

TEST_F(Template, AForkWithoutResultLeavesThatOfItsParentToIt) {
  AgentProcess& agent = StartAgent("ant");
  v1::ProcessSpec load = SpecOf({script(), "offer"}, "load");
  load.mutable_output()->set_result(true);
  agent.stub().Spawn(load);
  agent.stub().Spawn(ForkOf("load", {"pipes"}, "child"));
  EXPECT_EQ(agent.stub().Wait("child", v1::WaitRequest::UNTIL_EMPTY).exit().code(), 0);
  EXPECT_EQ(agent.stub().Output("child", v1::STREAM_KIND_STDOUT), "1 2\n");
}

TEST_F(Template, AParentWithASecondThreadIsRefusedWithItsCount) {
  AgentProcess& agent = StartAgent("ant");
  agent.stub().Spawn(SpecOf({script(), "offer", "threads"}, "load"));
  const grpc::Status refused = SpawnRefused(agent, ForkOf("load", {"exit"}, "child"));
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(), HasSubstr("it has 2 threads"));
  EXPECT_EQ(agent.stub().Get("load").state(), v1::STATE_RUNNING);
  EXPECT_EQ(agent.stub().Get("child").start_failure().stage(), "fork");
}

TEST_F(Template, BadStartMethodsAreRefusedByField) {
  AgentProcess& agent = StartAgent("ant");
  v1::ProcessSpec spec = Forkserver({"exit"});
  spec.set_fork_of("load");
  EXPECT_THAT(SpawnRefused(agent, spec).error_message(), HasSubstr("fork_of"));
  spec.set_start_method(v1::START_METHOD_FORK);
  spec.clear_fork_of();
  EXPECT_THAT(SpawnRefused(agent, spec).error_message(), HasSubstr("fork_of"));
  spec.set_start_method(static_cast<v1::StartMethod>(9));
  EXPECT_THAT(SpawnRefused(agent, spec).error_message(), HasSubstr("unknown StartMethod 9"));
  EXPECT_EQ(SpawnRefused(agent, ForkOf("nobody", {"exit"})).error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(agent.stub().List(), IsEmpty());
}

}  // namespace
}  // namespace shoal::testing
