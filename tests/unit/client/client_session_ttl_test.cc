// How long what a program starts outlives its silence, if it says nothing of it.
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "shoal/job.h"
#include "shoal/session.h"

namespace shoal {
namespace {

TEST(SessionTtl, IsTheUsualOneUnlessTheProgramSaysSo) {
  EXPECT_EQ(SessionOptions().ttl, absl::Seconds(15));
  EXPECT_EQ(JobSpec().session_ttl, absl::Seconds(15));
  SetSessionTtl(absl::Minutes(3));
  EXPECT_EQ(SessionOptions().ttl, absl::Minutes(3));
  EXPECT_EQ(JobSpec().session_ttl, absl::Minutes(3));
  SetSessionTtl(absl::ZeroDuration());
}

TEST(SessionTtl, IsAnHourWhereItIsAskedForByTheEnvironment) {
  setenv("SHOAL_DEBUG", "1", 1);
  EXPECT_EQ(DefaultSessionTtl(), absl::Hours(1));
  setenv("SHOAL_DEBUG", "0", 1);
  EXPECT_EQ(DefaultSessionTtl(), absl::Seconds(15));
  unsetenv("SHOAL_DEBUG");
}

TEST(SessionTtl, IsAnHourUnderADebugger) {
  const pid_t child = fork();
  if (child == 0) {
    const bool is_traced = ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0;
    _exit(is_traced && DefaultSessionTtl() == absl::Hours(1) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace shoal
