// The book of TCP connections: faults 174 and 175 of tests/README.md, below the level of gRPC.
#include "agent/net/tcp_connections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class TcpConnectionsTest : public ::testing::Test {
 protected:
  static TcpLimits Limits() {
    TcpLimits limits;
    limits.doors = 4;
    limits.connections = 20;
    limits.per_identity = 3;
    limits.misses = 10;
    limits.misses_per_second = 5;
    return limits;
  }

  UniqueFd Socket() {
    int pair[2] = {-1, -1};
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    peers_.emplace_back(pair[1]);
    return UniqueFd(pair[0]);
  }
  // 0: not accepted.
  TcpConnections::Id Add(const std::string& address) {
    const auto admission = book_.Add(address, Socket(), now_);
    if (!admission.has_value()) return 0;
    doors_[admission->id] = admission->door;
    peer_of_[admission->id] = peers_.size() - 1;
    return admission->id;
  }
  TcpConnections::Id AddCalled(const std::string& address, const std::string& identity,
                               BootTime expiry = BootTime::InfiniteFuture()) {
    const TcpConnections::Id id = Add(address);
    Holder holder;
    holder.caller = {.kind = CallerKind::kSpiffe, .name = identity};
    EXPECT_EQ(book_.FirstCall(doors_[id], std::move(holder), expiry, now_), id);
    return id;
  }
  bool IsEnded(TcpConnections::Id id) {
    pollfd fd = {.fd = peers_[peer_of_[id]].get(), .events = POLLIN, .revents = 0};
    return poll(&fd, 1, 0) == 1;
  }
  std::string Events() {
    std::string text;
    for (const TcpEvent& event : book_.TakeEvents()) {
      absl::StrAppend(&text, event.count, " ", event.address, " ", event.what, "\n");
    }
    return text;
  }

  BootTime now_ = BootTime() + absl::Hours(1);
  TcpConnections book_{Limits()};
  std::vector<UniqueFd> peers_;
  std::map<TcpConnections::Id, size_t> doors_;
  std::map<TcpConnections::Id, size_t> peer_of_;
};

TEST_F(TcpConnectionsTest, TheFirstCallNamesTheHolderAndFreesTheDoor) {
  const TcpConnections::Id id = Add("10.0.0.1");
  EXPECT_EQ(book_.half_open(), 1u);
  EXPECT_EQ(book_.Find(id), nullptr);
  Holder holder;
  holder.caller = {.kind = CallerKind::kSpiffe, .name = "spiffe://test/a"};
  EXPECT_EQ(book_.FirstCall(doors_[id], std::move(holder), BootTime::InfiniteFuture(), now_), id);
  EXPECT_EQ(book_.half_open(), 0u);
  ASSERT_NE(book_.Find(id), nullptr);
  EXPECT_EQ(book_.Find(id)->caller.name, "spiffe://test/a");
  EXPECT_EQ(book_.Find(id)->caller.tcp_connection, id);
  book_.Remove(id);
  EXPECT_EQ(book_.Find(id), nullptr);
  EXPECT_THAT(Events(), IsEmpty());
}

TEST_F(TcpConnectionsTest, TheOldestOfTheAddressWithMostMakesRoom) {
  const TcpConnections::Id first = Add("10.0.0.9");
  const TcpConnections::Id flood = Add("10.0.0.1");
  Add("10.0.0.1");
  Add("10.0.0.1");
  const TcpConnections::Id later = Add("10.0.0.1");
  EXPECT_NE(later, 0u);
  EXPECT_FALSE(IsEnded(first));
  EXPECT_TRUE(IsEnded(flood));
  EXPECT_FALSE(IsEnded(later));
  EXPECT_EQ(doors_[later], doors_[flood]);
  EXPECT_THAT(Events(), HasSubstr("1 10.0.0.1 ended: a newer one needed room"));
}

TEST_F(TcpConnectionsTest, AConnectionWithoutACallEndsInTime) {
  const TcpConnections::Id silent = Add("10.0.0.1");
  const TcpConnections::Id called = AddCalled("10.0.0.1", "spiffe://test/a");
  EXPECT_EQ(book_.EndOverdue(now_), now_ + absl::Seconds(5));
  EXPECT_FALSE(IsEnded(silent));
  now_ = now_ + absl::Seconds(5);
  EXPECT_EQ(book_.EndOverdue(now_), BootTime::InfiniteFuture());
  EXPECT_TRUE(IsEnded(silent));
  EXPECT_FALSE(IsEnded(called));
  EXPECT_EQ(book_.half_open(), 0u);
  EXPECT_THAT(Events(), HasSubstr("1 10.0.0.1 ended: no call within 5s"));
  book_.Remove(silent);
  EXPECT_THAT(Events(), IsEmpty()) << "told once";
}

TEST_F(TcpConnectionsTest, AConnectionEndsWithItsCertificate) {
  const TcpConnections::Id id = AddCalled("10.0.0.1", "spiffe://test/a", now_ + absl::Minutes(3));
  EXPECT_EQ(book_.EndOverdue(now_), now_ + absl::Minutes(3));
  EXPECT_FALSE(IsEnded(id));
  now_ = now_ + absl::Minutes(3);
  book_.EndOverdue(now_);
  EXPECT_TRUE(IsEnded(id));
  EXPECT_THAT(Events(), HasSubstr("the certificate of its client has expired"));
}

TEST_F(TcpConnectionsTest, AnIdentityHasSoManyConnections) {
  for (int i = 0; i < 3; ++i) AddCalled("10.0.0.1", "spiffe://test/a");
  const TcpConnections::Id fourth = AddCalled("10.0.0.2", "spiffe://test/a");
  EXPECT_EQ(book_.Find(fourth)->refusal.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(book_.Find(fourth)->refusal.message()), HasSubstr("has 3 connections"));
  EXPECT_TRUE(book_.Find(AddCalled("10.0.0.2", "spiffe://test/b"))->refusal.ok());
  // It is told so, and does not stay.
  now_ = now_ + absl::Seconds(5);
  book_.EndOverdue(now_);
  EXPECT_TRUE(IsEnded(fourth));
  book_.Remove(fourth);
  book_.Remove(1);
  EXPECT_TRUE(book_.Find(AddCalled("10.0.0.2", "spiffe://test/a"))->refusal.ok());
}

TEST_F(TcpConnectionsTest, CallsThatComeToNothingEndTheConnectionAndHoldItsAddressBack) {
  const TcpConnections::Id neighbour = AddCalled("10.0.0.2", "spiffe://test/b");
  absl::Duration expected = absl::Seconds(1);
  for (int round = 0; round < 8; ++round) {
    const TcpConnections::Id id = AddCalled("10.0.0.1", "spiffe://test/a");
    ASSERT_NE(id, 0u);
    int misses = 0;
    for (; !IsEnded(id) && misses < 100; ++misses) book_.CountMiss(id, now_);
    EXPECT_LE(misses, 11);
    EXPECT_TRUE(misses == 11 || round > 0) << "what has not leaked counts on";
    book_.Remove(id);
    EXPECT_EQ(Add("10.0.0.1"), 0u);
    now_ = now_ + (expected - absl::Milliseconds(1));
    EXPECT_EQ(Add("10.0.0.1"), 0u) << "round " << round;
    now_ = now_ + absl::Milliseconds(1);
    expected = std::min(2 * expected, absl::Minutes(1));
  }
  EXPECT_FALSE(IsEnded(neighbour));
  EXPECT_THAT(Events(), HasSubstr("8 10.0.0.1 ended: too many calls that were reset or refused"));
  // Once it has behaved for long enough, it begins anew.
  now_ = now_ + absl::Minutes(11);
  const TcpConnections::Id id = AddCalled("10.0.0.1", "spiffe://test/a");
  for (int i = 0; i < 11; ++i) book_.CountMiss(id, now_);
  now_ = now_ + absl::Seconds(1);
  EXPECT_NE(Add("10.0.0.1"), 0u);
}

TEST_F(TcpConnectionsTest, TheConnectionsOfOneAddressShareTheLimit) {
  const TcpConnections::Id one = AddCalled("10.0.0.1", "spiffe://test/a");
  const TcpConnections::Id two = AddCalled("10.0.0.1", "spiffe://test/b");
  const TcpConnections::Id good = AddCalled("10.0.0.1", "spiffe://test/c");
  for (int i = 0; i < 5; ++i) {
    book_.CountMiss(one, now_);
    book_.CountMiss(two, now_);
  }
  EXPECT_FALSE(IsEnded(one));
  book_.CountMiss(one, now_);
  EXPECT_TRUE(IsEnded(one));
  EXPECT_FALSE(IsEnded(two));
  book_.CountMiss(two, now_);
  EXPECT_TRUE(IsEnded(two));
  book_.CountCall(good, now_);
  book_.CountServed(good);
  EXPECT_FALSE(IsEnded(good)) << "it has no part in that";
}

TEST_F(TcpConnectionsTest, CallsThatAreServedAndMissesNowAndThenDoNoHarm) {
  const TcpConnections::Id id = AddCalled("10.0.0.1", "spiffe://test/a");
  for (int i = 0; i < 1000; ++i) {
    book_.CountCall(id, now_);
    book_.CountServed(id);
  }
  EXPECT_FALSE(IsEnded(id));
  for (int i = 0; i < 100; ++i) {
    book_.CountMiss(id, now_);
    now_ = now_ + absl::Milliseconds(250);
  }
  EXPECT_FALSE(IsEnded(id));
}

TEST_F(TcpConnectionsTest, ThereAreOnlySoManyConnections) {
  for (int i = 0; i < 20; ++i) {
    EXPECT_NE(AddCalled(absl::StrCat("10.0.0.", i), absl::StrCat("spiffe://test/", i)), 0u);
  }
  EXPECT_EQ(Add("10.0.1.1"), 0u);
  EXPECT_THAT(Events(), HasSubstr("1 10.0.1.1 refused: there are 20 connections already"));
  book_.Remove(3);
  EXPECT_NE(Add("10.0.1.1"), 0u);
}

TEST_F(TcpConnectionsTest, LimitsFollowTheDescriptors) {
  EXPECT_EQ(TcpLimitsFor(256).connections, 32u);
  EXPECT_EQ(TcpLimitsFor(256).doors, 16u);
  EXPECT_EQ(TcpLimitsFor(1 << 20).connections, 4096u);
  EXPECT_EQ(TcpLimitsFor(1 << 20).doors, 64u);
}

}  // namespace
}  // namespace shoal::agent
