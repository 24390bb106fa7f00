// How a host that is a name comes to its channels.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/notification.h"
#include "shoal/wire/connection.h"

namespace shoal {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Answer = absl::AnyInvocable<void(absl::StatusOr<Addresses>) &&>;

class ConnectionTest : public ::testing::Test {
 protected:
  std::unique_ptr<Connection> Connect(const std::string& host) {
    return std::make_unique<Connection>(
        ParseHostList(host)->front(), HostOptions(), [this] { ++wakes_; },
        [this](const std::string& name, Answer done) {
          names_.push_back(name);
          asked_.push_back(std::move(done));
        });
  }
  // The oldest look-up that is under way.
  void TellAnswer(absl::StatusOr<Addresses> found) {
    Answer done = std::move(asked_.front());
    asked_.erase(asked_.begin());
    std::move(done)(std::move(found));
  }

  int wakes_ = 0;
  std::vector<std::string> names_;
  std::vector<Answer> asked_;
};

class Moved : public Mover {
 public:
  void MoveTo(const std::shared_ptr<grpc::Channel>& channel) override { last = channel; }
  std::shared_ptr<grpc::Channel> last;
};

TEST_F(ConnectionTest, AnAddressIsNotLookedUp) {
  for (const char* host : {"127.0.0.1", "[::1]", "unix:/nowhere/a.sock"}) {
    auto connection = Connect(host);
    int64_t awaited = 0;
    EXPECT_TRUE(connection->Begin(&awaited).ok());
    EXPECT_NE(connection->stubs(), nullptr);
    connection->Renew();
  }
  EXPECT_THAT(names_, IsEmpty());
}

TEST_F(ConnectionTest, ANameIsLookedUpOnceForAllThatWait) {
  auto connection = Connect("node1");
  int64_t first = 0, second = 0;
  EXPECT_FALSE(connection->Begin(&first).ok());
  EXPECT_FALSE(connection->Begin(&second).ok());
  EXPECT_THAT(names_, ::testing::ElementsAre("node1"));
  EXPECT_EQ(first, second);
  EXPECT_FALSE(connection->HasFinished(first));
  TellAnswer(Addresses{"127.0.0.1"});
  EXPECT_EQ(wakes_, 1);
  EXPECT_TRUE(connection->HasFinished(first));
  EXPECT_TRUE(connection->Begin(&first).ok());
  EXPECT_TRUE(connection->AwaitStubs(BootTime()).ok());
  EXPECT_THAT(names_, SizeIs(1));
}

TEST_F(ConnectionTest, WhyThereAreNoAddressesIsToldToThoseThatWaitedAndTheNextAsksAgain) {
  auto connection = Connect("node1");
  int64_t awaited = 0;
  EXPECT_FALSE(connection->Begin(&awaited).ok());
  TellAnswer(absl::UnavailableError("the name does not resolve"));
  EXPECT_EQ(connection->Begin(&awaited).error_message(), "the name does not resolve");
  awaited = 0;
  EXPECT_FALSE(connection->Begin(&awaited).ok());
  EXPECT_THAT(names_, SizeIs(2));
}

TEST_F(ConnectionTest, WhoWaitsInVainIsToldThatItIsTheName) {
  auto connection = Connect("node1");
  EXPECT_EQ(connection->AwaitStubs(BootTime::Now()).error_message(),
            "the name was not resolved in time");
  int64_t awaited = 1;
  EXPECT_EQ(connection->Begin(&awaited).error_message(), "the name was not resolved in time");
}

TEST_F(ConnectionTest, AfterABrokenConnectionItIsLookedUpAnewAndOtherAddressesAreMovedTo) {
  auto connection = Connect("node1");
  int64_t awaited = 0;
  EXPECT_FALSE(connection->Begin(&awaited).ok());
  TellAnswer(Addresses{"127.0.0.1", "127.0.0.2"});
  auto moved = std::make_shared<Moved>();
  connection->Add(moved);
  Stubs* before = connection->stubs();
  connection->Renew();
  connection->Renew();
  ASSERT_THAT(asked_, SizeIs(1)) << "one at a time";
  EXPECT_EQ(connection->stubs(), before) << "until there is news";
  TellAnswer(Addresses{"127.0.0.2", "127.0.0.1"});
  EXPECT_EQ(connection->stubs(), before) << "the same addresses";
  connection->Renew();
  TellAnswer(absl::UnavailableError("the name does not resolve"));
  EXPECT_EQ(connection->stubs(), before) << "DNS may be down, and the agent not";
  EXPECT_EQ(moved->last, nullptr);
  connection->Renew();
  TellAnswer(Addresses{"127.0.0.3"});
  EXPECT_NE(connection->stubs(), before);
  EXPECT_EQ(moved->last, connection->stubs()->channel);
}

TEST_F(ConnectionTest, ALookUpThatHangsKeepsNobodyFromLeaving) {
  auto connection = Connect("node1");
  int64_t awaited = 0;
  EXPECT_FALSE(connection->Begin(&awaited).ok());
  connection = nullptr;
  TellAnswer(Addresses{"127.0.0.1"});
  EXPECT_EQ(wakes_, 0);
}

TEST(TargetOf, HasOneFamily) {
  EXPECT_EQ(TargetOf({"10.0.0.3", "10.0.0.4"}, 7420), "ipv4:10.0.0.3:7420,10.0.0.4:7420");
  EXPECT_EQ(TargetOf({"::1", "127.0.0.1"}, 7), "ipv6:[::1]:7,[::ffff:127.0.0.1]:7");
  EXPECT_EQ(TargetOf({"fe80::1%eth0"}, 7), "ipv6:[fe80::1%25eth0]:7");
}

absl::StatusOr<Addresses> LookedUp(const std::string& name) {
  absl::StatusOr<Addresses> answer;
  Notification is_told;
  LookUpName(name, [&](absl::StatusOr<Addresses> found) {
    answer = std::move(found);
    is_told.Notify();
  });
  is_told.WaitForNotification();
  return answer;
}

TEST(LookUpName, AsksTheSystem) {
  absl::StatusOr<Addresses> localhost = LookedUp("localhost");
  ASSERT_TRUE(localhost.ok()) << localhost.status();
  EXPECT_THAT(*localhost, Contains(::testing::AnyOf("127.0.0.1", "::1")));
  // Too long for a label: no server is asked.
  EXPECT_EQ(LookedUp(std::string(64, 'x')).status(),
            absl::NotFoundError("the name does not resolve"));
}

}  // namespace
}  // namespace shoal
