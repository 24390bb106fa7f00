// Processes over a host without a server. They are DETACHED, so that no session of the program, which
// lives until its end, knows of the host.
#include <gtest/gtest.h>
#include <poll.h>

#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "common/notification.h"
#include "shoal/process.h"
#include "tests/support/fake_link.h"
#include "tests/unit/client/told_processes.h"

namespace shoal {
namespace {

using ::shoal::testing::FakeLink;

class ProcessTest : public ::testing::Test {
 protected:
  ProcessOptions Options() {
    ProcessOptions options;
    options.command = {"worker"};
    options.name = "web";
    options.host = host_;
    options.detached = true;
    return options;
  }

  static v1::SpawnResponse Spawned(int number = 0) {
    v1::SpawnResponse response;
    *response.mutable_process() = Running(number);
    response.mutable_process()->set_name("web");
    return response;
  }

  void AnswerSpawns() {
    link_->spawn.AnswerAll([](const v1::SpawnRequest&) { return Spawned(); });
  }

  static v1::WaitResponse Answered(const v1::Process& process) {
    v1::WaitResponse response;
    *response.add_processes() = process;
    return response;
  }

  const std::shared_ptr<FakeLink> link_ = std::make_shared<FakeLink>("a");
  const std::shared_ptr<Host> host_ = Host::Over(link_);
};

TEST_F(ProcessTest, AStartThatMayHaveBeenCarriedOutIsRepeatedUnderItsRequestId) {
  int calls = 0;
  link_->spawn.AnswerAll([&](const v1::SpawnRequest&) -> absl::StatusOr<v1::SpawnResponse> {
    if (++calls == 1) return absl::DeadlineExceededError("no answer");
    if (calls == 2) return absl::UnavailableError("gone");
    return Spawned();
  });
  Process process(Options());
  EXPECT_TRUE(absl::IsDeadlineExceeded(process.Start()));
  EXPECT_TRUE(absl::IsUnavailable(process.Start()));
  EXPECT_TRUE(process.Start().ok());
  const std::string first = link_->spawn.Await(1).request_id();
  EXPECT_FALSE(first.empty());
  EXPECT_EQ(link_->spawn.Await(2).request_id(), first);
  EXPECT_EQ(link_->spawn.Await(3).request_id(), first);
  EXPECT_EQ(process.Pid(), 100);
}

TEST_F(ProcessTest, ARefusedStartIsTriedAgainUnderAnother) {
  int calls = 0;
  link_->spawn.AnswerAll([&](const v1::SpawnRequest&) -> absl::StatusOr<v1::SpawnResponse> {
    if (++calls == 1) return absl::ResourceExhaustedError("no room");
    return Spawned();
  });
  Process process(Options());
  EXPECT_TRUE(absl::IsResourceExhausted(process.Start()));
  EXPECT_TRUE(process.Start().ok());
  EXPECT_NE(link_->spawn.Await(1).request_id(), link_->spawn.Await(2).request_id());
}

TEST_F(ProcessTest, WhatStartsIsPinnedToTheAgentThatAnswered) {
  link_->get_facts.AnswerAll([](const v1::HostServiceGetRequest&) {
    v1::HostServiceGetResponse response;
    response.mutable_host()->set_agent_id("agent");
    response.mutable_host()->set_boot_id("boot");
    return response;
  });
  ASSERT_TRUE(host_->GetFacts().ok());
  AnswerSpawns();
  Process process(Options());
  ASSERT_TRUE(process.Start().ok());
  EXPECT_EQ(link_->spawn.Await(1).agent_id(), "agent");
  EXPECT_EQ(link_->spawn.Await(1).boot_id(), "boot");
}

TEST_F(ProcessTest, ALongJoinAsksInPieces) {
  AnswerSpawns();
  Process process(Options());
  ASSERT_TRUE(process.Start().ok());
  int calls = 0;
  link_->wait.AnswerAll([&](const v1::WaitRequest&) {
    v1::WaitResponse response = Answered(++calls == 1 ? Running(0) : Exited(0, 3));
    response.set_timed_out(calls == 1);
    return response;
  });
  EXPECT_EQ(*process.Join(), true);
  EXPECT_EQ(process.ExitCode(), 3);
  EXPECT_EQ(link_->wait.calls(), 2u);
  EXPECT_EQ(link_->wait.Await(1).timeout().seconds(), 60);
}

TEST_F(ProcessTest, AJoinOfAHostThatIsGoneSaysSo) {
  AnswerSpawns();
  Process process(Options());
  ASSERT_TRUE(process.Start().ok());
  link_->wait.AnswerAll([](const v1::WaitRequest&) { return absl::UnavailableError("gone"); });
  link_->get.AnswerAll([](const v1::GetRequest&) { return absl::UnavailableError("gone"); });
  EXPECT_EQ(process.Join().status(), absl::UnavailableError("gone"));
  EXPECT_EQ(process.ExitCode(), std::nullopt) << "it is not known to have ended";
}

TEST_F(ProcessTest, OutputOfABrokenConnectionGoesOnByOffset) {
  AnswerSpawns();
  std::string text;
  Notification is_whole;
  ProcessOptions options = Options();
  options.on_output = [&](v1::StreamKind, int64_t offset, absl::string_view data) {
    EXPECT_EQ(offset, static_cast<int64_t>(text.size()));
    text.append(data.data(), data.size());
    if (text.size() == 6) is_whole.Notify();
  };
  Process process(std::move(options));
  ASSERT_TRUE(process.Start().ok());
  auto output = link_->AwaitOutput(1);
  output->Tell(Frame(0, 0, "abc"));
  output->Break();
  output->Mend();
  ASSERT_EQ(output->AwaitAttempt(2).resume_size(), 1);
  EXPECT_EQ(output->AwaitAttempt(2).resume(0).offset(), 3);
  output->Tell(Frame(0, 0, "abc"));  // as it may still be on its way
  output->Tell(Frame(0, 2, "cdef"));
  is_whole.WaitForNotification();
  EXPECT_EQ(text, "abcdef");
}

// Whether its sentinel is readable.
bool IsReadable(int sentinel) {
  pollfd entry = {sentinel, POLLIN, 0};
  return poll(&entry, 1, 0) == 1;
}

TEST_F(ProcessTest, TheSentinelsOfManyThatAreDetachedAreOneWatch) {
  constexpr int kProcesses = 200;
  int next = 0;
  link_->spawn.AnswerAll([&](const v1::SpawnRequest&) {
    v1::SpawnResponse response = Spawned(next);
    response.mutable_process()->set_revision(++next);
    return response;
  });
  std::vector<std::unique_ptr<Process>> processes;
  std::vector<int> sentinels;
  for (int i = 0; i < kProcesses; ++i) {
    processes.push_back(std::make_unique<Process>(Options()));
    ASSERT_TRUE(processes.back()->Start().ok());
    sentinels.push_back(*processes.back()->Sentinel());
  }
  auto watch = link_->AwaitWatch(1);
  link_->Settle();
  EXPECT_EQ(watch->AwaitAttempt(kProcesses).selector().terms_size(), kProcesses);
  for (int i = 0; i < kProcesses; ++i) watch->Tell(Upsert(Running(i, i + 1)));
  watch->Tell(Synced(kProcesses));
  watch->Tell(Upsert(Exited(7, 0, kProcesses + 1)));
  link_->Settle();
  for (int i = 0; i < kProcesses; ++i)
    EXPECT_EQ(IsReadable(sentinels[static_cast<size_t>(i)]), i == 7);
  EXPECT_EQ(link_->wait.calls(), 0u);
}

TEST_F(ProcessTest, ADetachedOneThatIsFollowedLaterIsAskedForFromItsOwnRevision) {
  int next = 0;
  link_->spawn.AnswerAll([&](const v1::SpawnRequest&) { return Spawned(next++); });
  Process first(Options()), second(Options());
  ASSERT_TRUE(first.Start().ok());
  ASSERT_TRUE(second.Start().ok());  // revision 1, as the first
  const int sentinel = *first.Sentinel();
  auto watch = link_->AwaitWatch(1);
  EXPECT_EQ(watch->AwaitAttempt(1).from_revision(), 0);
  watch->Tell(Upsert(Running(0)));
  watch->Tell(Synced(9));
  link_->Settle();
  const int other = *second.Sentinel();
  EXPECT_EQ(watch->AwaitAttempt(2).from_revision(), 1) << "what has become of it since is told";
  watch->Tell(Upsert(Exited(1, 0, 5)));
  watch->Tell(Synced(9));
  link_->Settle();
  EXPECT_TRUE(IsReadable(other));
  EXPECT_FALSE(IsReadable(sentinel)) << "it is as it was";
  watch->Tell(Upsert(Exited(0, 0, 10)));
  link_->Settle();
  EXPECT_TRUE(IsReadable(sentinel));
  EXPECT_EQ(link_->wait.calls(), 0u);
  watch->WaitForEnd();  // none is followed any more
}

TEST_F(ProcessTest, ADetachedOneThatTheSnapshotLacksIsAskedForAlone) {
  AnswerSpawns();
  Process process(Options());
  ASSERT_TRUE(process.Start().ok());
  const int sentinel = *process.Sentinel();
  link_->AwaitWatch(1)->Tell(Synced(9));
  link_->wait.Await(1);
  link_->wait.Answer(absl::NotFoundError("it was deleted"));
  link_->Settle();
  EXPECT_TRUE(IsReadable(sentinel)) << "nothing more will be heard of it";
}

TEST_F(ProcessTest, WhatOneMayNotDoWithItIsSaid) {
  Process process(Options());
  EXPECT_TRUE(absl::IsFailedPrecondition(process.Join().status()));
  AnswerSpawns();
  ASSERT_TRUE(process.Start().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(process.Start()));
  EXPECT_EQ(link_->spawn.calls(), 1u);
}

TEST_F(ProcessTest, ContradictoryOptionsAreRefused) {
  ProcessOptions options = Options();
  options.daemon = true;
  EXPECT_TRUE(absl::IsInvalidArgument(Process(options).Start()));
  options = Options();
  options.command.clear();
  EXPECT_TRUE(absl::IsInvalidArgument(Process(options).Start()));
  EXPECT_EQ(link_->spawn.calls(), 0u);
}

TEST_F(ProcessTest, AStartWaitsForAsLongAsAnAgentMayTake) {
  AnswerSpawns();
  Process process(Options());
  ASSERT_TRUE(process.Start().ok());
  EXPECT_EQ(link_->spawn.options(1).timeout, absl::Minutes(5));
  EXPECT_EQ(link_->spawn.options(1).patience, absl::Seconds(30));
}

TEST_F(ProcessTest, OutputThatIsNoLongerKeptIsDataLoss) {
  AnswerSpawns();
  Process process(Options());
  ASSERT_TRUE(process.Start().ok());
  std::thread agent([this] {
    v1::ReadOutputResponse dropped = Frame(0, 0, "");
    dropped.mutable_gap()->set_from(0);
    dropped.mutable_gap()->set_to(7);
    link_->AwaitOutput(1)->Tell(dropped);
    link_->AwaitOutput(1)->End(absl::OkStatus());
  });
  EXPECT_EQ(process.ReadOutput().status(),
            absl::DataLossError("output of web: the bytes from 0 to 7 are no longer kept"));
  agent.join();
}

}  // namespace
}  // namespace shoal
