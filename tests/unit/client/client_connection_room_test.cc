// Descriptors for the connections of a fleet.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "absl/strings/str_cat.h"
#include "shoal/host/connection_room.h"

namespace shoal::internal {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::StartsWith;

class ConnectionRoomTest : public ::testing::Test {
 protected:
  ConnectionRoomTest() { EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0); }
  ~ConnectionRoomTest() override { EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before_), 0); }

  void SetSoft(rlim_t soft) {
    const rlimit limit{soft, before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  }
  static rlim_t Soft() {
    rlimit limit{};
    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    return limit.rlim_cur;
  }

  rlimit before_{};
};

TEST_F(ConnectionRoomTest, AFewHostsLeaveTheLimitAsItIs) {
  SetSoft(256);
  EXPECT_TRUE(MakeRoomForConnections(50).ok());
  EXPECT_EQ(Soft(), 256u);
}

TEST_F(ConnectionRoomTest, ManyHostsRaiseItToTheHardOne) {
  if (before_.rlim_max < 1000) GTEST_SKIP() << "the hard limit is " << before_.rlim_max;
  SetSoft(256);
  EXPECT_TRUE(MakeRoomForConnections(300).ok());
  EXPECT_EQ(Soft(), before_.rlim_max);
}

TEST_F(ConnectionRoomTest, TooManyAreRefusedWithTheLimit) {
  if (before_.rlim_max == RLIM_INFINITY) GTEST_SKIP() << "there is no limit";
  const absl::Status refused = MakeRoomForConnections(before_.rlim_max);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(
      std::string(refused.message()),
      AllOf(StartsWith(absl::StrCat("this program may have ", before_.rlim_max,
                                    " descriptors open (`ulimit -Hn`), ")),
            EndsWith(absl::StrCat(" are, and ", before_.rlim_max, " hosts need one each"))));
}

}  // namespace
}  // namespace shoal::internal
