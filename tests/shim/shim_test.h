// Every shim test: parameter true with a cgroup, false without. At the end nothing may be left: no
// descriptor, no child (the test is a subreaper), no zombie.
#ifndef SHOAL_TESTS_SHIM_SHIM_TEST_H_
#define SHOAL_TESTS_SHIM_SHIM_TEST_H_

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <string>

#include "tests/shim/process_facts.h"
#include "tests/shim/shim_harness.h"

namespace shoal::testing {

class ShimTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override;
  void TearDown() override;

  // The harness of the test; made on first use.
  ShimHarness& shim();
  // Ends it early.
  void Reset() { harness_.reset(); }

  std::unique_ptr<ShimHarness> harness_;
  size_t descriptors_ = 0;
};

// "WithCgroup" or "WithoutCgroup", for INSTANTIATE_TEST_SUITE_P.
inline std::string NameOfParam(const ::testing::TestParamInfo<bool>& param) {
  return param.param ? "WithCgroup" : "WithoutCgroup";
}

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SHIM_SHIM_TEST_H_
