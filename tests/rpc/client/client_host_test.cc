#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/error_info.h"
#include "common/notification.h"
#include "shoal/error.h"
#include "shoal/fleet.h"
#include "shoal/host.h"
#include "shoal/v1/error_detail.pb.h"
#include "tests/rpc/client/host_of.h"
#include "tests/support/fake_agent.h"

namespace shoal {
namespace {

using ::shoal::testing::FakeAgent;
using ::testing::HasSubstr;

v1::SpawnRequest SpawnOf(std::vector<std::string> argv) {
  v1::SpawnRequest request;
  for (std::string& word : argv) request.mutable_spec()->add_argv(std::move(word));
  return request;
}

TEST(HostCalls, ALostAnswerIsAskedForAgainWithTheSameRequestId) {
  FakeAgent agent("a");
  agent.LoseAnswer("Spawn", 3);
  auto host = HostOf(agent);
  ASSERT_TRUE(host->GetFacts().ok());
  auto response = host->Spawn(SpawnOf({"wait"}));
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_TRUE(response->replayed());
  std::vector<std::string> ids = agent.RequestIds("Spawn");
  ASSERT_EQ(ids.size(), 4u);
  for (const std::string& id : ids) EXPECT_EQ(id, ids[0]);
  EXPECT_EQ(agent.processes().size(), 1u);
}

TEST(HostCalls, WhatTheAgentCannotDoForNowIsTriedOnceMoreAndTold) {
  FakeAgent agent("a");
  auto host = HostOf(agent);
  ASSERT_TRUE(host->GetFacts().ok());
  absl::Status full = absl::UnavailableError("the audit log /a cannot be written");
  v1::ErrorInfo info;
  info.set_reason(kRefusedForNowReason);
  full.SetPayload(kErrorInfoUrl, absl::Cord(info.SerializeAsString()));
  agent.FailNext("Spawn", full, 3);
  const absl::Status refused = host->Spawn(SpawnOf({"wait"})).status();
  EXPECT_THAT(std::string(refused.message()), HasSubstr("refuses this for now: the audit log /a"));
  EXPECT_EQ(agent.Calls("Spawn"), 2);
  EXPECT_TRUE(host->Spawn(SpawnOf({"wait"})).ok()) << "one more refusal, then it is carried out";
}

TEST(HostCalls, WithoutRetryTheFirstAnswerCounts) {
  FakeAgent agent("a");
  auto host = HostOf(agent);
  ASSERT_TRUE(host->GetFacts().ok());
  agent.LoseAnswer("Spawn", 1);
  CallOptions options;
  options.retry = false;
  EXPECT_TRUE(absl::IsUnavailable(host->Spawn(SpawnOf({"wait"}), options).status()));
}

// Whatever becomes of the attempts after it.
TEST(HostCalls, ALostAnswerLeavesADoubt) {
  FakeAgent agent("a");
  auto host = HostOf(agent);
  ASSERT_TRUE(host->GetFacts().ok());
  CallOptions options;
  options.patience = absl::Milliseconds(300);
  agent.LoseAnswer("Spawn", 1'000);
  const absl::Status lost = host->Spawn(SpawnOf({"wait"}), options).status();
  EXPECT_TRUE(absl::IsUnavailable(lost));
  EXPECT_TRUE(MayBeDone(lost));

  FakeAgent other("b");
  host = HostOf(other);
  ASSERT_TRUE(host->GetFacts().ok());
  other.Stop();
  const absl::Status gone = host->Spawn(SpawnOf({"wait"}), options).status();
  EXPECT_TRUE(absl::IsUnavailable(gone));
  EXPECT_FALSE(MayBeDone(gone)) << "it was not there";
}

TEST(HostCalls, WhatWasAnsweredInTheEndIsInNoDoubt) {
  FakeAgent agent("a");
  auto host = HostOf(agent);
  ASSERT_TRUE(host->GetFacts().ok());
  agent.FailNext("Spawn", absl::UnavailableError("Socket closed"));
  agent.FailNext("Spawn", absl::AlreadyExistsError("held"));
  const absl::Status refused = host->Spawn(SpawnOf({"wait"})).status();
  EXPECT_TRUE(absl::IsAlreadyExists(refused)) << refused;
  EXPECT_FALSE(MayBeDone(refused));
}

TEST(HostCalls, AHostThatNeverAnsweredFailsAtTheFirstRefusal) {
  auto host = Host::Create(UnixAddress("/tmp/shoal-no-such-directory/shoald.sock"));
  ASSERT_TRUE(host.ok());
  absl::Status status = (*host)->GetFacts().status();
  EXPECT_TRUE(absl::IsUnavailable(status));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("cannot be reached: no such file or directory"));
  EXPECT_THAT(std::string(status.message()), HasSubstr("/tmp/shoal-no-such-directory/shoald.sock"));
}

TEST(HostCalls, AClosedPortIsNamed) {
  auto host = Host::Create(ParseHostList("127.0.0.1:1")->at(0));
  ASSERT_TRUE(host.ok());
  EXPECT_EQ(std::string((*host)->GetFacts().status().message()),
            "host \"127.0.0.1:1\" cannot be reached: connection refused (127.0.0.1:1)");
}

TEST(HostCalls, APathThatNoSocketCanHaveIsRefused) {
  auto host = Host::Create(UnixAddress("/" + std::string(119, 'x')));
  EXPECT_TRUE(absl::IsInvalidArgument(host.status()));
  EXPECT_THAT(std::string(host.status().message()), HasSubstr("socket path too long (120 > 107)"));
}

TEST(HostCalls, AnAgentThatComesUpLaterIsWaitedForIfAskedTo) {
  FakeAgent agent("a");
  agent.Stop();
  HostOptions options;
  options.wait_for_agent = true;
  options.connect_timeout = absl::Seconds(60);
  auto host = HostOf(agent, options);
  Notification answered;
  absl::StatusOr<v1::Host> facts = absl::UnknownError("");
  host->GetFacts({absl::Seconds(60)}, [&](absl::StatusOr<v1::Host> answer) {
    facts = std::move(answer);
    answered.Notify();
  });
  agent.Start();
  answered.WaitForNotification();
  EXPECT_TRUE(facts.ok()) << facts.status();
}

TEST(HostCalls, ARestartedAgentIsFoundAgain) {
  FakeAgent agent("a");
  auto host = HostOf(agent);
  ASSERT_TRUE(host->GetFacts().ok());
  agent.Stop();
  agent.Start();
  EXPECT_TRUE(host->GetFacts().ok());
}

// An agent that answers UNAVAILABLE is as good as one that is gone, and counts the attempts.
TEST(HostCalls, AHostThatWasGoneForLongIsTriedOnceByEachFurtherCall) {
  FakeAgent agent("a");
  auto host = HostOf(agent);
  ASSERT_TRUE(host->GetFacts().ok());
  agent.FailNext("Get", absl::UnavailableError("gone"), std::numeric_limits<int>::max());
  CallOptions options;
  options.patience = absl::Seconds(1);
  EXPECT_TRUE(absl::IsUnavailable(host->Get("web", false, options).status()));
  EXPECT_GT(agent.Calls("Get"), 1);

  options.patience = absl::Milliseconds(100);  // the first call was longer about it
  for (int i = 0; i < 3; ++i) {
    int before = agent.Calls("Get");
    EXPECT_TRUE(absl::IsUnavailable(host->Get("web", false, options).status()));
    EXPECT_EQ(agent.Calls("Get"), before + 1);
  }

  EXPECT_TRUE(host->GetFacts().ok());  // an answer, so that all is forgiven
  int before = agent.Calls("Get");
  agent.FailNext("Get", absl::UnavailableError("gone"));
  EXPECT_TRUE(absl::IsNotFound(host->Get("web").status()));
  EXPECT_EQ(agent.Calls("Get"), before + 2);
}

TEST(HostCalls, WhatIsSpawnedIsPinnedToTheAgentThatAnsweredFirst) {
  FakeAgent agent("a");
  auto host = HostOf(agent);
  EXPECT_EQ(host->identity().agent_id, "");
  ASSERT_TRUE(host->GetFacts().ok());
  EXPECT_EQ(host->identity().agent_id, "agent-a");
  v1::SpawnBatchRequest request;
  request.add_specs()->add_argv("wait");
  request.mutable_ranks()->set_count(1);
  ASSERT_TRUE(host->SpawnBatch(request).ok());
  EXPECT_EQ(agent.last_batch().agent_id(), "agent-a");
  EXPECT_EQ(agent.last_batch().boot_id(), "boot");
}

TEST(HostCalls, AnErrorOfTheAgentKeepsItsSentence) {
  FakeAgent agent("a");
  agent.FailNext("Get", absl::InvalidArgumentError("selector: matches 3"));
  EXPECT_EQ(HostOf(agent)->Get("x").status(), absl::InvalidArgumentError("selector: matches 3"));
}

TEST(HostCalls, ListGathersAllPages) {
  FakeAgent agent("a");
  auto host = HostOf(agent);
  for (int i = 0; i < 7; ++i) ASSERT_TRUE(host->Spawn(SpawnOf({"wait"})).ok());
  v1::ListRequest request;
  request.set_page_size(3);
  auto processes = host->List(request);
  ASSERT_TRUE(processes.ok()) << processes.status();
  EXPECT_EQ(processes->size(), 7u);
  EXPECT_EQ(agent.Calls("List"), 3);
}

TEST(HostCalls, WaitSaysThatItsTimePassed) {
  FakeAgent agent("a");
  auto host = HostOf(agent);
  auto spawned = host->Spawn(SpawnOf({"wait"}));
  ASSERT_TRUE(spawned.ok());
  v1::WaitRequest request;
  request.mutable_selector()->add_terms(spawned->process().id());
  auto waited = host->Wait(request, {absl::Milliseconds(20)});
  ASSERT_TRUE(waited.ok()) << waited.status();
  EXPECT_TRUE(waited->timed_out());
}

TEST(HostCalls, WaitOutlivesARestart) {
  FakeAgent agent("a");
  auto host = HostOf(agent);
  auto spawned = host->Spawn(SpawnOf({"wait"}));
  ASSERT_TRUE(spawned.ok());
  v1::WaitRequest request;
  request.mutable_selector()->add_terms(spawned->process().id());
  Notification answered;
  absl::StatusOr<v1::WaitResponse> waited = absl::UnknownError("");
  host->Wait(request, {absl::Seconds(60)}, [&](absl::StatusOr<v1::WaitResponse> answer) {
    waited = std::move(answer);
    answered.Notify();
  });
  agent.Stop();
  agent.Start();
  agent.Exit(spawned->process().id(), 5);
  answered.WaitForNotification();
  ASSERT_TRUE(waited.ok()) << waited.status();
  EXPECT_EQ(waited->processes(0).exit().code(), 5);
}

TEST(HostCalls, AHostDestroyedInACallbackDoesNotAbort) {
  FakeAgent agent("a");
  for (int i = 0; i < 20; ++i) {
    auto host = HostOf(agent);
    Notification done;
    Host* plain = host.get();
    plain->GetFacts({}, [&done, host = std::move(host)](absl::StatusOr<v1::Host>) mutable {
      host = nullptr;
      done.Notify();
    });
    done.WaitForNotification();
  }
}

TEST(HostCalls, ADestroyedHostEndsItsCalls) {
  FakeAgent agent("a");
  auto host = HostOf(agent);
  ASSERT_TRUE(host->Spawn(SpawnOf({"wait"})).ok());
  Notification answered;
  v1::WaitRequest request;
  request.mutable_selector()->set_all(true);
  host->Wait(request, {absl::Seconds(60)},
             [&](absl::StatusOr<v1::WaitResponse>) { answered.Notify(); });
  host = nullptr;
  EXPECT_TRUE(answered.HasBeenNotified());
}

TEST(FleetConnect, HasASlotForEachOfItsHosts) {
  FakeAgent a("a", 2), b("b", 3);
  auto fleet = Fleet::Connect(absl::StrCat(a.hosts(), ",", b.hosts()));
  ASSERT_TRUE(fleet.ok()) << fleet.status();
  EXPECT_EQ(fleet->slots().size(), 5u);
  EXPECT_THAT(fleet->slot_counts(), ::testing::ElementsAre(2, 3));
  EXPECT_EQ(fleet->slots()[2].host, fleet->hosts()[1].host);
}

TEST(FleetConnect, NamesEveryHostThatIsNotReached) {
  FakeAgent a("a");
  std::string hosts = absl::StrCat(a.hosts(), ",127.0.0.1:1,127.0.0.1:2");
  auto refused = Fleet::Connect(hosts);
  EXPECT_EQ(refused.status(),
            absl::UnavailableError(
                "host \"127.0.0.1:1\" cannot be reached: connection refused (127.0.0.1:1); host "
                "\"127.0.0.1:2\" cannot be reached: connection refused (127.0.0.1:2)"));
  FleetOptions options;
  options.require_all = false;
  auto fleet = Fleet::Connect(hosts, options);
  ASSERT_TRUE(fleet.ok()) << fleet.status();
  EXPECT_EQ(fleet->hosts().size(), 1u);
  ASSERT_EQ(fleet->unreachable().size(), 2u);
  EXPECT_TRUE(absl::IsUnavailable(fleet->unreachable()[1].reason));
}

TEST(FleetConnect, OfManyThatAreNotReachedNamesFour) {
  auto refused = Fleet::Connect("127.0.0.[1-7]:1");
  EXPECT_TRUE(absl::EndsWith(refused.status().message(),
                             "; host \"127.0.0.4:1\" cannot be reached: connection refused "
                             "(127.0.0.4:1); and 3 other hosts"))
      << refused.status();
  EXPECT_EQ(Fleet::Connect(std::vector<HostAddress>{}).status(),
            absl::InvalidArgumentError("hosts: the list is empty"));
}

TEST(FleetConnect, FansOutWithAResultForEach) {
  FakeAgent a("a"), b("b");
  auto fleet = Fleet::Connect(absl::StrCat(a.hosts(), ",", b.hosts()));
  ASSERT_TRUE(fleet.ok()) << fleet.status();
  b.FailNext("List", absl::PermissionDeniedError("no"), 1);
  auto results = fleet->FanOut<std::vector<v1::Process>>(
      [](Host& host, Done<std::vector<v1::Process>> done) { host.List({}, {}, std::move(done)); });
  ASSERT_EQ(results.size(), 2u);
  EXPECT_TRUE(results[0].result.ok());
  EXPECT_TRUE(absl::IsPermissionDenied(results[1].result.status()));
}

}  // namespace
}  // namespace shoal
