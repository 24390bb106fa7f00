#include "common/spare_threads.h"

#include <gtest/gtest.h>

#include <atomic>

#include "common/crew.h"

namespace shoal {
namespace {

TEST(SpareThreads, AFewAreThere) { EXPECT_TRUE(CheckSpareThreads(12).ok()); }

TEST(Crew, EveryThreadDoesTheWork) {
  std::atomic<int> done = 0;
  RunOnThreads(5, [&] { ++done; });
  EXPECT_EQ(done, 5);
  RunOnThreads(0, [&] { ++done; });
  EXPECT_EQ(done, 6) << "the caller's does it in any case";
}

}  // namespace
}  // namespace shoal
