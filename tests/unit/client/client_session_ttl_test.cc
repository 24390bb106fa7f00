// How long what a program starts outlives its silence, if it says nothing of it.
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include "shoal/duration.h"
#include "shoal/session.h"
#include "tests/support/fake_link.h"

namespace shoal {
namespace {

// That of the session which a program opens there.
absl::Duration TtlOf(const SessionOptions& options) {
  auto link = std::make_shared<testing::FakeLink>("a");
  EXPECT_TRUE(Session::Open(Host::Over(link), options).ok());
  return FromProto(link->open.Await(1).ttl());
}

TEST(SessionTtl, IsTheUsualOneUnlessTheProgramSaysSo) {
  unsetenv("SHOAL_ID");
  EXPECT_EQ(TtlOf({}), absl::Seconds(15));
  SetSessionTtl(absl::Minutes(3));
  EXPECT_EQ(TtlOf({}), absl::Minutes(3));
  SessionOptions options;
  options.ttl = absl::Minutes(4);
  EXPECT_EQ(TtlOf(options), absl::Minutes(4));
  SetSessionTtl(absl::ZeroDuration());
}

TEST(SessionTtl, IsAShortOneOnOtherHostsInsideAProcessOfShoal) {
  setenv("SHOAL_ID", "AAAAAAAAAAAAAAAA", 1);
  EXPECT_EQ(TtlOf({}), absl::Seconds(5));
  EXPECT_EQ(DefaultSessionTtl(UnixAddress("/run/shoald.sock")), absl::Seconds(15));
  SetSessionTtl(absl::Minutes(3));
  EXPECT_EQ(TtlOf({}), absl::Minutes(3));
  SetSessionTtl(absl::ZeroDuration());
  unsetenv("SHOAL_ID");
}

TEST(SessionTtl, IsAnHourWhereItIsAskedForByTheEnvironment) {
  setenv("SHOAL_DEBUG", "1", 1);
  EXPECT_EQ(DefaultSessionTtl(*LocalAddress()), absl::Hours(1));
  setenv("SHOAL_DEBUG", "0", 1);
  EXPECT_EQ(DefaultSessionTtl(*LocalAddress()), absl::Seconds(15));
  unsetenv("SHOAL_DEBUG");
}

TEST(SessionTtl, IsAnHourUnderADebugger) {
  const pid_t child = fork();
  if (child == 0) {
    const bool is_traced = ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0;
    _exit(is_traced && DefaultSessionTtl(*LocalAddress()) == absl::Hours(1) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace shoal
