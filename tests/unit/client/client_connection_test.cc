// How a host that is a name comes to its channels.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "common/boot_time.h"
#include "common/mutex.h"
#include "common/notification.h"
#include "shoal/wire/connection.h"
#include "tests/support/self_signed.h"

namespace shoal {
namespace {

using ::shoal::testing::FileWith;
using ::shoal::testing::MakeSelfSigned;
using ::shoal::testing::SelfSigned;
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
  void MoveTo(const std::shared_ptr<grpc::Channel>& channel) override {
    MutexLock lock(&mu_);
    last_ = channel;
  }
  std::shared_ptr<grpc::Channel> channel() const {
    MutexLock lock(&mu_);
    return last_;
  }

 private:
  mutable Mutex mu_;
  std::shared_ptr<grpc::Channel> last_ ABSL_GUARDED_BY(mu_);
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
  const std::shared_ptr<Stubs> before = connection->stubs();
  connection->Renew();
  connection->Renew();
  ASSERT_THAT(asked_, SizeIs(1)) << "one at a time";
  EXPECT_EQ(connection->stubs(), before) << "until there is news";
  TellAnswer(Addresses{"127.0.0.2", "127.0.0.1"});
  EXPECT_EQ(connection->stubs(), before) << "the same addresses";
  connection->Renew();
  TellAnswer(absl::UnavailableError("the name does not resolve"));
  EXPECT_EQ(connection->stubs(), before) << "DNS may be down, and the agent not";
  EXPECT_EQ(moved->channel(), nullptr);
  connection->Renew();
  TellAnswer(Addresses{"127.0.0.3"});
  EXPECT_NE(connection->stubs(), before);
  EXPECT_EQ(moved->channel(), connection->stubs()->channel);
}

TEST_F(ConnectionTest, ALookUpThatHangsKeepsNobodyFromLeaving) {
  auto connection = Connect("node1");
  int64_t awaited = 0;
  EXPECT_FALSE(connection->Begin(&awaited).ok());
  connection = nullptr;
  TellAnswer(Addresses{"127.0.0.1"});
  EXPECT_EQ(wakes_, 0);
}

// A host that is an address, and the files of its certificate.
class RenewedConnectionTest : public ConnectionTest {
 protected:
  RenewedConnectionTest() {
    HostOptions options;
    options.credentials = *Credentials::Load({certificate_, key_, ca_});
    connection_ =
        std::make_unique<Connection>(ParseHostList("127.0.0.1:1")->front(), options, [] {});
  }
  ~RenewedConnectionTest() override {
    for (const std::string* path : {&certificate_, &key_, &ca_}) unlink(path->c_str());
  }
  void RenewTo(const SelfSigned& next) {
    std::ofstream(certificate_) << next.certificate;
    std::ofstream(key_) << next.key;
    const std::shared_ptr<Stubs> before = connection_->stubs();
    const BootTime end = BootTime::Now() + absl::Seconds(60);
    while (connection_->stubs() == before && BootTime::Now() < end) {
      connection_->Renew();
      std::this_thread::yield();
    }
    EXPECT_NE(connection_->stubs(), before);
  }

  const SelfSigned first_ = MakeSelfSigned();
  const SelfSigned second_ = MakeSelfSigned();
  const std::string certificate_ = FileWith(first_.certificate);
  const std::string key_ = FileWith(first_.key);
  const std::string ca_ = FileWith(first_.certificate);
  std::unique_ptr<Connection> connection_;
};

TEST_F(RenewedConnectionTest, AChannelOfAnOlderCertificateGoesOnceNoCallHasIt) {
  auto moved = std::make_shared<Moved>();
  connection_->Add(moved);
  std::shared_ptr<Stubs> used = connection_->stubs();
  const std::weak_ptr<Stubs> oldest = used;
  RenewTo(second_);
  RenewTo(first_);
  EXPECT_FALSE(oldest.expired()) << "it is in use";
  used = nullptr;
  RenewTo(second_);
  RenewTo(first_);
  EXPECT_TRUE(oldest.expired());
  // Movers are told behind stubs().
  const BootTime end = BootTime::Now() + absl::Seconds(60);
  while (moved->channel() != connection_->stubs()->channel && BootTime::Now() < end) {
    std::this_thread::yield();
  }
  EXPECT_EQ(moved->channel(), connection_->stubs()->channel);
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
