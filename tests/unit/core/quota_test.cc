// What one identity may have at a time, and that others do not pay for it.
#include "tests/unit/core/supervisor_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kNeighbour[] = "spiffe://test/other";

Permit PermitOfNeighbour() {
  const Caller caller{CallerKind::kSpiffe, kNeighbour, Evidence::kCertificateUri};
  return Authorize(caller, Verb::kSpawn, Target::Host()).value();
}

class QuotaTest : public SupervisorTest {
 protected:
  void Limit(const Quotas& quotas) {
    world_.options.quotas = quotas;
    world_.Restart();
  }
  std::shared_ptr<SpawnReply> SpawnAnswered(SpawnCommand command) {
    auto reply = world_.Spawn(std::move(command));
    world_.Turn();
    world_.shims.StartAll();
    world_.Turn();
    return reply;
  }
  static SpawnCommand ByOther(SpawnCommand command) {
    command.permit = PermitOfNeighbour();
    return command;
  }
  static SpawnCommand Long(SpawnCommand command) {
    auto spec = std::make_shared<Spec>(*command.items[0].spec);
    spec->argv.push_back(std::string(10'000, 'x'));
    command.items[0].spec = spec;
    return command;
  }
};

TEST_F(QuotaTest, ProcessesThatAreNotOverAreBoundedForEachIdentity) {
  Limit({.live_processes = 3});
  EXPECT_TRUE(SpawnAnswered(Ranks("a", 3, "r1"))->statuses.at(0).ok());
  auto refused = SpawnAnswered(Detached("b", "r2"));
  EXPECT_EQ(refused->statuses.at(0).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(
      std::string(refused->statuses.at(0).message()),
      HasSubstr("identity uid:1000 has 3 processes that are not over, and asks for 1, limit 3"));
  EXPECT_TRUE(SpawnAnswered(ByOther(Detached("c", "r3")))->statuses.at(0).ok());
  for (const auto& [number, slot] : std::map(world_.shims.slots())) world_.shims.End(slot.id, 0);
  world_.Turn();
  EXPECT_TRUE(SpawnAnswered(Detached("b", "r2"))->statuses.at(0).ok())
      << "the repeat is carried out";
}

SpawnCommand WithInput(SpawnCommand command) {
  auto spec = std::make_shared<Spec>(*command.items[0].spec);
  spec->input_window = 60;
  command.items[0].spec = spec;
  return command;
}

// The ring is there before the process starts.
TEST_F(QuotaTest, RingsOfInputCountWithTheOutputOnDisk) {
  Limit({.disk_bytes = 100});
  const std::string id = world_.Run(WithInput(Detached("a", "r1")));
  world_.shims.Write(id, 0, 30);
  world_.Turn();
  auto refused = SpawnAnswered(WithInput(Detached("b", "r2")));
  EXPECT_EQ(refused->statuses.at(0).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused->statuses.at(0).message()),
              HasSubstr("has 90 bytes of output and input on disk, and asks for 60 for its input, "
                        "limit 100"));
  EXPECT_TRUE(SpawnAnswered(Detached("c", "r3"))->statuses.at(0).ok()) << "it asks for none";
  EXPECT_TRUE(SpawnAnswered(ByOther(WithInput(Detached("d", "r4"))))->statuses.at(0).ok());
  world_.shims.End(id, 0);
  world_.Turn();
  EXPECT_TRUE(SpawnAnswered(WithInput(Detached("b", "r5")))->statuses.at(0).ok())
      << "the ring has gone with its process";
}

TEST_F(QuotaTest, WindowsOfInputAreBoundedForEachIdentity) {
  Limit({.input_bytes = 100});
  EXPECT_TRUE(SpawnAnswered(WithInput(Detached("a", "r1")))->statuses.at(0).ok());
  auto refused = SpawnAnswered(WithInput(Detached("b", "r2")));
  EXPECT_EQ(refused->statuses.at(0).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused->statuses.at(0).message()),
              HasSubstr("has 60 bytes of input windows, and asks for 60, limit 100"));
  EXPECT_TRUE(SpawnAnswered(Detached("c", "r3"))->statuses.at(0).ok());
  world_.shims.End(world_.Get(SpawnAnswered(WithInput(Detached("a", "r1")))->ids.at(0)).id, 0);
  world_.Turn();
  EXPECT_TRUE(SpawnAnswered(WithInput(Detached("b", "r2")))->statuses.at(0).ok());
}

TEST_F(QuotaTest, ABatchIsRefusedAsAWhole) {
  Limit({.live_processes = 3});
  auto refused = SpawnAnswered(Ranks("a", 4, "r1"));
  EXPECT_EQ(refused->statuses.at(0).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(world_.shims.starts(), SizeIs(0));
}

TEST_F(QuotaTest, TheBoundHoldsOverARestart) {
  world_.Run(Detached("a", "r1"));
  Limit({.live_processes = 1});
  EXPECT_FALSE(SpawnAnswered(Detached("b", "r2"))->statuses.at(0).ok());
}

TEST_F(QuotaTest, SpecsThatLiveAreBoundedByTheirSize) {
  Limit({.live_spec_bytes = 15'000});
  EXPECT_TRUE(SpawnAnswered(Long(Detached("a", "r1")))->statuses.at(0).ok());
  EXPECT_EQ(SpawnAnswered(Long(Detached("b", "r2")))->statuses.at(0).code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(SpawnAnswered(ByOther(Long(Detached("c", "r3"))))->statuses.at(0).ok());
}

TEST_F(QuotaTest, OutputThatIsKeptIsBounded) {
  Limit({.disk_bytes = 1'000});
  const std::string id = world_.Run(Detached("a", "r1"));
  world_.shims.Write(id, 0, 1'001);
  world_.Turn();
  auto refused = SpawnAnswered(Detached("b", "r2"));
  EXPECT_THAT(std::string(refused->statuses.at(0).message()),
              HasSubstr("has 1001 bytes of output and input on disk, limit 1000"));
  EXPECT_TRUE(SpawnAnswered(ByOther(Detached("c", "r3")))->statuses.at(0).ok());
  world_.shims.End(id, 0);
  world_.Turn();
  world_.Delete(Term("a"));
  EXPECT_TRUE(SpawnAnswered(Detached("b", "r4"))->statuses.at(0).ok());
}

TEST_F(QuotaTest, SessionsAreBoundedForEachIdentity) {
  Limit({.sessions = 2});
  world_.OpenSession(absl::Seconds(15), "o1");
  const SessionEntry second = world_.OpenSession(absl::Seconds(15), "o2");
  absl::Status refused;
  const auto open = [&](const Permit& permit, const std::string& request_id) {
    OpenSessionCommand command = Opening(request_id);
    command.permit = permit;
    world_.supervisor->OpenSession(
        std::move(command),
        [&refused](absl::StatusOr<const SessionEntry*> session) { refused = session.status(); });
    world_.Turn();
    return refused;
  };
  EXPECT_EQ(open(PermitOf(), "o3").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("has 2 sessions, limit 2"));
  EXPECT_TRUE(open(PermitOfNeighbour(), "o3").ok());
  world_.supervisor->CloseSession(
      {.permit = PermitOf(), .session_id = second.id, .token = second.token}, [](auto) {});
  world_.Turn();
  EXPECT_TRUE(open(PermitOf(), "o3").ok()) << "a repeat of what was refused for want of room";
}

TEST_F(QuotaTest, ProcessesThatWaitsWaitForAreBounded) {
  Limit({.awaited_processes = 5});
  SpawnAnswered(Ranks("a", 3, "r1"));
  auto first = world_.Wait(All(), Until::kExited);
  auto second = world_.Wait(All(), Until::kExited);
  EXPECT_EQ(first->calls, 0);
  EXPECT_EQ(second->status.code(), absl::StatusCode::kResourceExhausted);
  for (const auto& [number, slot] : std::map(world_.shims.slots())) world_.shims.End(slot.id, 0);
  world_.Turn();
  EXPECT_EQ(first->calls, 1);
  EXPECT_TRUE(world_.Wait(All(), Until::kExited)->status.ok());
}

TEST_F(QuotaTest, BeyondTheNumberThatIsKeptTheOwnerOfMostLosesHisOldest) {
  world_.options.retention_count = 4;
  world_.Restart();
  auto ended = [this](SpawnCommand command) {
    std::string id = world_.Run(std::move(command));
    world_.shims.End(id, 0);
    world_.Turn();
    world_.clock.Advance(absl::Seconds(1));
    return id;
  };
  const std::string old = ended(ByOther(Detached("old", "r0")));
  const std::string first = ended(Detached("a1", "r1"));
  for (int i = 2; i < 6; ++i) ended(Detached(absl::StrCat("a", i), absl::StrCat("r", i)));
  world_.Turn();
  EXPECT_NE(world_.supervisor->Find(PermitOf(), old), nullptr) << "the oldest of all";
  EXPECT_EQ(world_.supervisor->Find(PermitOf(), first), nullptr);
}

TEST_F(QuotaTest, WhatSpecsOfEndedProcessesTakeUpIsBoundedInAll) {
  Limit({.kept_spec_bytes = 25'000});
  for (int i = 0; i < 5; ++i) {
    const std::string id = world_.Run(Long(Detached(absl::StrCat("p", i), absl::StrCat("r", i))));
    world_.shims.End(id, 0);
    world_.Turn();
    world_.clock.Advance(absl::Seconds(1));
  }
  EXPECT_THAT(*world_.Select(All()), SizeIs(2));
  EXPECT_EQ(world_.Select(All())->front()->spec->argv.size(), 3u);
}

TEST_F(QuotaTest, RanksShareTheirSpecAndCountItOnce) {
  Limit({.live_spec_bytes = 15'000, .kept_spec_bytes = 15'000});
  auto reply = SpawnAnswered(Long(Ranks("a", 1, "r0")));
  SpawnCommand command = Long(Ranks("b", 1, "r1"));
  world_.shims.End(reply->ids.at(0), 0);
  world_.Turn();
  for (int i = 1; i < 20; ++i) {
    command.items.push_back(command.items[0]);
    command.items.back().rank = i;
  }
  auto ranks = SpawnAnswered(std::move(command));
  for (int i = 0; i < 3; ++i) {
    world_.shims.StartAll();
    world_.Turn();
  }
  EXPECT_THAT(ranks->statuses, SizeIs(20));
}

}  // namespace
}  // namespace shoal::agent
