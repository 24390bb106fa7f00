// Agents and shims of the previous and of the next record version take over from each other, with
// live processes, output being read, and a retried request.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/record/half_format.h"
#include "common/ids.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kPlayed[] = "SHOAL_PLAY_RECORD_FORMAT";
const std::string kVersion2 = "2 0 2";
const std::string kCurrent;
// The next version: longer, and readable by this one.
const std::string kNext = absl::StrCat(record::kRecordVersion + 1, " ",
                                       sizeof(record::AgentHalf) + 32, " ", record::kOldestReader);

class Upgrade : public SystemTest {
 protected:
  // The format that the agent has at its next start.
  static void Play(AgentProcess& agent, const std::string& format) {
    agent.options().env.erase(kPlayed);
    if (!format.empty()) agent.options().env[kPlayed] = format;
  }
  std::string MakeGate(const std::string& name) {
    std::string gate = Scratch(name);
    EXPECT_EQ(mkfifo(gate.c_str(), 0600), 0);
    return gate;
  }
  static void OpenGate(const std::string& gate) { close(open(gate.c_str(), O_WRONLY | O_CLOEXEC)); }
  static std::string OutputOf(AgentProcess& agent, const std::string& name) {
    return agent.stub().Output(name, v1::STREAM_KIND_STDOUT);
  }
};

struct Skew {
  const char* name;
  const std::string& before;
  const std::string& after;
};

class UpgradeBetween : public Upgrade, public ::testing::WithParamInterface<Skew> {};

INSTANTIATE_TEST_SUITE_P(, UpgradeBetween,
                         ::testing::Values(Skew{"PreviousToThis", kVersion2, kCurrent},
                                           Skew{"NextToThis", kNext, kCurrent},
                                           Skew{"ThisToNext", kCurrent, kNext},
                                           Skew{"ThisToPrevious", kCurrent, kVersion2}),
                         [](const ::testing::TestParamInfo<Skew>& skew) {
                           return skew.param.name;
                         });

TEST_P(UpgradeBetween, LivingShimsAreFullyServed) {
  AgentProcess& agent = AddAgent("ant");
  Play(agent, GetParam().before);
  ASSERT_TRUE(agent.Start());
  const std::string gate = MakeGate("gate");
  v1::SpawnRequest request;
  request.set_request_id(NewRequestId());
  *request.mutable_spec() = SpecOf({ChildPath(), "gated", gate, "7", "behind the gate"}, "gated");
  v1::SpawnResponse spawned;
  ASSERT_TRUE(agent.stub().TrySpawn(request, &spawned).ok());
  agent.stub().Spawn(SpecOf({ChildPath(), "ignore-term"}, "stubborn"));
  agent.stub().Spawn(SpecOf({ChildPath(), "sleep"}, "limited"));
  WaitUntil("gated is up", [&] { return OutputOf(agent, "gated") == "ready\n"; });
  WaitUntil("stubborn is up", [&] { return OutputOf(agent, "stubborn") == "ready\n"; });
  auto logs = StartShoal({"logs", "-f", "gated"}, true);
  logs->WaitForOutput("ready");

  agent.Kill();
  Play(agent, GetParam().after);
  ASSERT_TRUE(agent.Start());
  EXPECT_EQ(agent.stub().Get("gated").state(), v1::STATE_RUNNING);
  EXPECT_EQ(agent.stub().Get("gated").pid(), spawned.process().pid());
  v1::SpawnResponse again;
  ASSERT_TRUE(agent.stub().TrySpawn(request, &again).ok());
  EXPECT_EQ(again.process().id(), spawned.process().id());
  EXPECT_THAT(agent.stub().List(), SizeIs(3));

  // Every kind of telling: an end with its grace, a limit, and what was read.
  const CommandResult stopped = Shoal({"stop", "--grace", "100ms", "stubborn"});
  EXPECT_EQ(stopped.exit_code, 0) << stopped;
  const v1::Process ended = agent.stub().Get("stubborn");
  EXPECT_EQ(ended.exit().signal(), SIGKILL);
  EXPECT_THAT(ended.flags(), Contains(v1::FLAG_ESCALATED));
  v1::UpdateRequest update;
  update.set_request_id(NewRequestId());
  update.mutable_selector()->add_terms("limited");
  update.mutable_time_limit()->set_nanos(100'000'000);
  v1::UpdateResponse updated;
  CallContext context;
  ASSERT_TRUE(agent.stub().processes().Update(&context, update, &updated).ok());
  EXPECT_EQ(agent.stub().Wait("limited", v1::WaitRequest::UNTIL_EMPTY).exit().cause(),
            v1::CAUSE_TIME_LIMIT);
  OpenGate(gate);
  EXPECT_EQ(logs->Wait().out, "ready\nbehind the gate");
  EXPECT_EQ(agent.stub().Wait("gated", v1::WaitRequest::UNTIL_EMPTY).exit().code(), 7);

  // What is started now is of the new version, and the slots of the old ones are used again.
  EXPECT_EQ(agent.stub().Spawn(SpecOf({ChildPath(), "sleep"}, "after")).state(), v1::STATE_RUNNING);
}

TEST_F(Upgrade, AShimOfTheNextVersionIsServedAcrossARestart) {
  const std::string programs = Scratch("programs");
  std::filesystem::create_directory(programs);
  std::filesystem::copy_file(ShoaldPath(), programs + "/shoald");
  std::filesystem::copy_file(BinaryPath("shoal-shim-next"), programs + "/shoal-shim");
  AgentProcess& agent = AddAgent("ant");
  agent.options().program = programs + "/shoald";
  ASSERT_TRUE(agent.Start());
  const std::string gate = MakeGate("gate");
  agent.stub().Spawn(SpecOf({ChildPath(), "gated", gate, "3", "more"}, "gated"));
  WaitUntil("gated is up", [&] { return OutputOf(agent, "gated") == "ready\n"; });
  agent.Kill();
  agent.options().program.clear();
  ASSERT_TRUE(agent.Start());
  OpenGate(gate);
  EXPECT_EQ(agent.stub().Wait("gated", v1::WaitRequest::UNTIL_EMPTY).exit().code(), 3);
  EXPECT_EQ(OutputOf(agent, "gated"), "ready\nmore");
}

// It is longer than a file is to be: its shims are served, and what is started goes elsewhere.
TEST_F(Upgrade, TheOneLongFileOfAnEarlierAgentIsServedUntilItIsEmpty) {
  AgentProcess& agent = AddAgent("ant");
  ASSERT_TRUE(agent.Start());
  const std::string gate = MakeGate("gate");
  agent.stub().Spawn(SpecOf({ChildPath(), "gated", gate, "3", "more"}, "gated"));
  agent.stub().Spawn(SpecOf({ChildPath(), "ignore-term"}, "stubborn"));
  WaitUntil("gated is up", [&] { return OutputOf(agent, "gated") == "ready\n"; });
  WaitUntil("stubborn is up", [&] { return OutputOf(agent, "stubborn") == "ready\n"; });
  agent.Kill();
  const std::string records = agent.run_dir() + "/records";
  std::filesystem::resize_file(records, 300 * record::kSlotBytes);

  ASSERT_TRUE(agent.Start());
  EXPECT_EQ(agent.stub().Get("gated").state(), v1::STATE_RUNNING);
  agent.stub().Spawn(SpecOf({ChildPath(), "sleep"}, "after"));
  EXPECT_TRUE(std::filesystem::exists(records + ".3")) << "slots 1 to 299 are the first file's";
  agent.Kill();
  ASSERT_TRUE(agent.Start());
  EXPECT_EQ(agent.stub().Get("after").state(), v1::STATE_RUNNING);
  EXPECT_EQ(Shoal({"stop", "--grace", "100ms", "stubborn"}).exit_code, 0);
  EXPECT_EQ(agent.stub().Get("stubborn").exit().signal(), SIGKILL);
  EXPECT_EQ(std::filesystem::file_size(records), 300 * record::kSlotBytes);
  OpenGate(gate);
  EXPECT_EQ(agent.stub().Wait("gated", v1::WaitRequest::UNTIL_EMPTY).exit().code(), 3);
  EXPECT_EQ(OutputOf(agent, "gated"), "ready\nmore");
  WaitUntil("the file is emptied",
            [&] { return std::filesystem::file_size(records) == record::kSlotBytes; });
  agent.Kill();
  ASSERT_TRUE(agent.Start());
  EXPECT_EQ(Shoal({"stop", "after"}).exit_code, 0);
  EXPECT_EQ(agent.stub().Get("after").exit().signal(), SIGTERM);
}

// Its shims have the words of their processes in their command lines, and go on having them.
TEST_F(Upgrade, AShimThatWasToldByWordsIsServed) {
  const std::string programs = Scratch("programs");
  std::filesystem::create_directory(programs);
  std::filesystem::copy_file(ShoaldPath(), programs + "/shoald");
  std::filesystem::copy_file(BinaryPath("shoal-shim-by-words"), programs + "/shoal-shim");
  std::filesystem::copy_file(ShimPath(), programs + "/shoal-shim-real");
  AgentProcess& agent = AddAgent("ant");
  agent.options().program = programs + "/shoald";
  ASSERT_TRUE(agent.Start());
  const std::string gate = MakeGate("gate");
  v1::ProcessSpec spec = SpecOf({ChildPath(), "gated", gate, "3", "more"}, "gated");
  spec.set_cwd(programs);
  agent.stub().Spawn(spec);
  agent.stub().Spawn(SpecOf({ChildPath(), "ignore-term"}, "stubborn"));
  WaitUntil("gated is up", [&] { return OutputOf(agent, "gated") == "ready\n"; });
  WaitUntil("stubborn is up", [&] { return OutputOf(agent, "stubborn") == "ready\n"; });
  EXPECT_THAT(DescendantsWith(gate), SizeIs(2)) << "the shim is to have the words, too";

  agent.Kill();
  agent.options().program.clear();
  ASSERT_TRUE(agent.Start());
  EXPECT_EQ(agent.stub().Get("gated").state(), v1::STATE_RUNNING);
  EXPECT_EQ(Shoal({"stop", "--grace", "100ms", "stubborn"}).exit_code, 0);
  EXPECT_EQ(agent.stub().Get("stubborn").exit().signal(), SIGKILL);
  OpenGate(gate);
  EXPECT_EQ(agent.stub().Wait("gated", v1::WaitRequest::UNTIL_EMPTY).exit().code(), 3);
  EXPECT_EQ(OutputOf(agent, "gated"), "ready\nmore");
  agent.stub().Spawn(SpecOf({ChildPath(), "gated", gate, "4", "x"}, "after"));
  WaitUntil("after is up", [&] { return OutputOf(agent, "after") == "ready\n"; });
  EXPECT_THAT(DescendantsWith(gate), SizeIs(1));
}

class Unmanaged : public Upgrade {
 protected:
  // Makes every half in the record file one of a version that only newer programs can read.
  static void MakeUnreadable(const std::string& run_dir) {
    const int fd = open((run_dir + "/records").c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    struct stat facts = {};
    ASSERT_EQ(fstat(fd, &facts), 0);
    for (off_t at = record::kSlotBytes; at < facts.st_size; at += record::kSlotBytes) {
      record::Area<record::AgentHalf> area = {};
      record::AgentHalf half;
      ASSERT_GT(pread(fd, &area, sizeof(area), at), 0);
      if (record::Unpack(area, &half) != record::Reading::kIntact) continue;
      half.prefix.version = half.prefix.oldest_reader = 9;
      const size_t size = record::Pack(&half, &area);
      ASSERT_EQ(pwrite(fd, &area, size, at), static_cast<ssize_t>(size));
    }
    close(fd);
  }
};

TEST_F(Unmanaged, WhatCannotBeReadIsHeldShownAndLeftAloneUntilItIsOver) {
  AgentProcess& agent = StartAgent("ant");
  const std::string gate = MakeGate("gate");
  v1::SpawnRequest request;
  request.set_request_id(NewRequestId());
  *request.mutable_spec() = SpecOf({ChildPath(), "gated", gate, "0", "more"}, "web");
  v1::SpawnResponse spawned;
  ASSERT_TRUE(agent.stub().TrySpawn(request, &spawned).ok());
  const v1::Process before = spawned.process();
  WaitUntil("it is up", [&] { return OutputOf(agent, "web") == "ready\n"; });
  const size_t processes = DescendantsWith(gate).size();
  agent.Kill();
  MakeUnreadable(agent.run_dir());
  ASSERT_TRUE(agent.Start());

  EXPECT_THAT(agent.Log(), HasSubstr("its record is of version 9"));
  EXPECT_THAT(agent.stub().Get("web").flags(), Contains(v1::FLAG_UNMANAGED));
  EXPECT_THAT(Shoal({"ps"}).out, HasSubstr("unmanaged"));
  EXPECT_THAT(Shoal({"why", "web"}).out, HasSubstr("leaves the process alone"));
  const CommandResult second = Shoal({"start", "--name", "web", "--", ChildPath(), "sleep"});
  EXPECT_NE(second.exit_code, 0);
  EXPECT_THAT(second.err, HasSubstr("\"web\" is held"));
  v1::SpawnResponse again;
  const grpc::Status retried = agent.stub().TrySpawn(request, &again, false);
  EXPECT_TRUE(!retried.ok() || again.process().id() == before.id());
  const CommandResult stopped = Shoal({"stop", "web"});
  EXPECT_NE(stopped.exit_code, 0);
  EXPECT_THAT(stopped.err, HasSubstr("a newer agent can read"));
  EXPECT_NE(Shoal({"rm", "web"}).exit_code, 0);
  EXPECT_NE(Shoal({"signal", "TERM", "web"}).exit_code, 0);
  EXPECT_EQ(kill(before.pid(), 0), 0) << "it was left alone";
  EXPECT_THAT(DescendantsWith(gate), SizeIs(processes)) << "nothing was started a second time";

  OpenGate(gate);
  const v1::Process over = agent.stub().Wait("web", v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(over.state(), v1::STATE_LOST);
  EXPECT_EQ(over.exit().unknown().reason(), v1::CAUSE_RECORD_VERSION);
  EXPECT_EQ(OutputOf(agent, "web"), "ready\nmore");
  EXPECT_EQ(Shoal({"start", "--name", "web", "--", ChildPath(), "sleep"}).exit_code, 0);
}

TEST_F(Unmanaged, ItsSessionNamesItAsASurvivor) {
  AgentProcess& agent = StartAgent("ant");
  v1::OpenRequest open;
  open.set_request_id(NewRequestId());
  v1::OpenResponse opened;
  CallContext opening;
  ASSERT_TRUE(agent.stub().sessions().Open(&opening, open, &opened).ok());
  v1::SpawnRequest request;
  request.set_request_id(NewRequestId());
  request.set_session_id(opened.session().id());
  *request.mutable_spec() = SpecOf({ChildPath(), "sleep"}, "web");
  request.mutable_spec()->set_lifetime(v1::LIFETIME_SESSION);
  v1::SpawnResponse spawned;
  ASSERT_TRUE(agent.stub().TrySpawn(request, &spawned).ok());
  agent.Kill();
  MakeUnreadable(agent.run_dir());
  ASSERT_TRUE(agent.Start());
  v1::CloseRequest close_request;
  close_request.set_session_id(opened.session().id());
  close_request.set_token(opened.token());
  v1::CloseResponse closed;
  CallContext closing;
  ASSERT_TRUE(agent.stub().sessions().Close(&closing, close_request, &closed).ok());
  EXPECT_THAT(closed.survivor_ids(), ::testing::ElementsAre(spawned.process().id()));
  EXPECT_THAT(Shoal({"why", "web"}).out, HasSubstr("this agent could not end it"));
  const pid_t pid = spawned.process().pid();
  EXPECT_EQ(kill(pid, 0), 0);
  kill(pid, SIGKILL);  // this test's own
  EXPECT_EQ(agent.stub().Wait("web", v1::WaitRequest::UNTIL_EMPTY).exit().unknown().reason(),
            v1::CAUSE_RECORD_VERSION);
}

}  // namespace
}  // namespace shoal::testing
