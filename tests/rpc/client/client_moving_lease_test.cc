#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "common/boot_time.h"
#include "common/notification.h"
#include "shoal/session.h"
#include "shoal/wire/moving_lease.h"
#include "tests/support/fake_agent.h"

namespace shoal {
namespace {

using ::shoal::testing::FakeAgent;

std::shared_ptr<grpc::Channel> ChannelTo(const FakeAgent& agent) {
  return grpc::CreateChannel(agent.hosts(), grpc::InsecureChannelCredentials());
}

class MovingLeaseTest : public ::testing::Test {
 protected:
  // A lease of a session that `agent` has opened, renewed through a channel of its own.
  std::shared_ptr<MovingLease> Keep(FakeAgent& agent, absl::Duration ttl) {
    auto host = *Host::Create(UnixAddress(agent.socket_path()));
    v1::OpenRequest request;
    request.set_name("test");
    absl::StatusOr<v1::OpenResponse> opened = host->OpenSession(std::move(request));
    EXPECT_TRUE(opened.ok()) << opened.status();
    LeaseTerms terms;
    terms.session_id = opened->session().id();
    terms.token = opened->token();
    terms.ttl = ttl;
    terms.on_lost = [this](const absl::Status& status) {
      reason_ = status;
      lost_.Notify();
    };
    return std::make_shared<MovingLease>(ChannelTo(agent), host->address(), std::move(terms));
  }

  void AwaitSilence(const Lease& lease) {
    const BootTime deadline = BootTime::Now() + absl::Seconds(60);
    while (lease.status().ok() && BootTime::Now() < deadline) std::this_thread::yield();
    EXPECT_TRUE(absl::IsUnavailable(lease.status())) << lease.status();
  }

  FakeAgent here_{"here"}, there_{"there"};
  absl::Status reason_;
  Notification lost_;
};

TEST_F(MovingLeaseTest, IsRenewedAtOnceWhereItIsMovedTo) {
  auto lease = Keep(here_, absl::Hours(1));
  lease->MoveTo(ChannelTo(here_));
  here_.AwaitCalls("KeepAlive", 1);
  EXPECT_TRUE(lease->status().ok());
  lease->Drop();
}

TEST_F(MovingLeaseTest, IsAsSilentAsItWasUntilItIsRenewedThere) {
  there_.Stop();
  auto lease = Keep(here_, absl::Milliseconds(60));
  here_.Stop();
  AwaitSilence(*lease);
  lease->MoveTo(ChannelTo(there_));
  EXPECT_TRUE(absl::IsUnavailable(lease->status())) << lease->status();
  lease->Drop();
}

TEST_F(MovingLeaseTest, IsOverWhereItIsNotKnownAndStaysSo) {
  auto lease = Keep(here_, absl::Hours(1));
  lease->MoveTo(ChannelTo(there_));
  lost_.WaitForNotification();
  EXPECT_TRUE(absl::IsNotFound(reason_)) << reason_;
  lease->MoveTo(ChannelTo(here_));
  EXPECT_EQ(lease->status(), reason_);
  lease->Drop();
}

TEST_F(MovingLeaseTest, OneThatIsDroppedIsMovedNoMore) {
  auto dropped = Keep(here_, absl::Hours(1));
  dropped->Drop();
  dropped->MoveTo(ChannelTo(there_));
  auto kept = Keep(here_, absl::Hours(1));
  kept->MoveTo(ChannelTo(there_));
  lost_.WaitForNotification();
  EXPECT_EQ(there_.Calls("KeepAlive"), 1);
  kept->Drop();
}

}  // namespace
}  // namespace shoal
