#include "tests/shim/shim_test.h"

#include <errno.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <filesystem>

namespace shoal::testing {
namespace {

size_t CountDescriptors() {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    ++count;
  return count;
}

}  // namespace

void ShimTest::SetUp() {
  ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
  descriptors_ = CountDescriptors();
  if (GetParam() && !CgroupDir().exists()) GTEST_SKIP() << "no writable cgroup v2 here";
}

void ShimTest::TearDown() {
  harness_.reset();
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a descendant is left";
  EXPECT_EQ(errno, ECHILD);
  EXPECT_EQ(CountDescriptors(), descriptors_);
}

ShimHarness& ShimTest::shim() {
  if (!harness_) harness_ = std::make_unique<ShimHarness>(GetParam());
  return *harness_;
}

}  // namespace shoal::testing
