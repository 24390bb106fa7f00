// What belongs to an owner stays his: what other identities may not do with his processes.
#include "tests/unit/core/fork_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;

constexpr char kOther[] = "spiffe://test/other";

Permit PermitOfOther() {
  const Caller caller{CallerKind::kSpiffe, kOther, Evidence::kCertificateUri};
  return Authorize(caller, Verb::kGet, Target::Host()).value();
}

class OwnerTest : public ForkTest {
 protected:
  std::shared_ptr<BulkReply> Update(const Permit& permit, const std::string& term, bool detach) {
    UpdateCommand command{{permit}};
    command.selector = Term(term);
    command.detach = detach;
    command.set_labels = {{"seen", "yes"}};
    return world_.Update(std::move(command));
  }
};

TEST_F(OwnerTest, OutputIsNotAcknowledgedByAnotherIdentity) {
  const std::string id = world_.Run(Detached("web"));
  world_.shims.Write(id, 0, 65'536);
  world_.Turn();
  const absl::Status refused =
      world_.supervisor->Acknowledge(PermitOfOther(), {{"unknown", 0, 1}, {id, 0, 65'536}});
  EXPECT_EQ(refused.code(), absl::StatusCode::kPermissionDenied) << refused;
  EXPECT_EQ(world_.shims.SlotOf(id).agent.acknowledged[0], 0) << "the owner has not read it";
  EXPECT_TRUE(world_.supervisor->Acknowledge(PermitOf(), {{id, 0, 65'536}}).ok());
  EXPECT_EQ(world_.shims.SlotOf(id).agent.acknowledged[0], 65'536);
}

TEST_F(OwnerTest, NothingIsAcknowledgedOfARequestThatIsRefusedInPart) {
  const std::string own = world_.Run(Detached("own", "r1"));
  SpawnCommand command = Detached("foreign", "r2");
  command.permit = PermitOfOther();
  const std::string foreign = world_.Run(std::move(command));
  world_.shims.Write(own, 0, 10);
  world_.shims.Write(foreign, 0, 10);
  world_.Turn();
  EXPECT_FALSE(world_.supervisor->Acknowledge(PermitOf(), {{own, 0, 10}, {foreign, 0, 10}}).ok());
  EXPECT_EQ(world_.shims.SlotOf(own).agent.acknowledged[0], 0);
}

TEST_F(OwnerTest, AnotherIdentityDoesNotDetachAProcess) {
  const SessionEntry session = world_.OpenSession();
  const std::string id = world_.Run(InSession(session, "web", "r1"));
  auto refused = Update(PermitOfOther(), "web", /*detach=*/true);
  ASSERT_EQ(refused->outcomes.size(), 1u);
  EXPECT_EQ(refused->outcomes[0].second.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(world_.Get(id).lifetime, Lifetime::kSession);
  EXPECT_TRUE(world_.Get(id).labels.empty()) << "all of an update, or nothing";
  EXPECT_TRUE(Update(PermitOfOther(), "web", /*detach=*/false)->outcomes[0].second.ok());
  EXPECT_TRUE(Update(PermitOf(), "web", /*detach=*/true)->outcomes[0].second.ok());
  EXPECT_EQ(world_.Get(id).lifetime, Lifetime::kDetached);
}

TEST_F(OwnerTest, AnotherIdentityDoesNotForkAProcess) {
  const std::string load = world_.Run(Detached("load", "r0"));
  world_.shims.Offer(load);
  SpawnCommand command = ForkOf("load", "child", "r1");
  command.permit = PermitOfOther();
  auto refused = Spawn(std::move(command));
  ASSERT_EQ(refused->calls, 1);
  EXPECT_EQ(refused->statuses[0].code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(refused->statuses[0].message()), HasSubstr("cannot be forked"));
  EXPECT_EQ(world_.shims.starts().size(), 1u);
}

TEST_F(OwnerTest, AnotherIdentityDoesNotForkATemplate) {
  Spawn(Forkserver("web"));
  Warm(TemplateId());
  SpawnCommand command = ForkOf(TemplateId(), "child", "r2");
  command.permit = PermitOfOther();
  auto refused = Spawn(std::move(command));
  ASSERT_EQ(refused->calls, 1);
  EXPECT_EQ(refused->statuses[0].code(), absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace shoal::agent
