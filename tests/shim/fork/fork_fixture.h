// A template in one language, and an agent that is played by the test. At the end nothing may be left: no
// descriptor, no descendant.
#ifndef SHOAL_TESTS_SHIM_FORK_FORK_FIXTURE_H_
#define SHOAL_TESTS_SHIM_FORK_FORK_FIXTURE_H_

#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/shim/fork/fork_agent.h"

namespace shoal::testing {

struct Language {
  const char* name;
  std::vector<std::string> program;
};

inline const Language kCpp = {"Cpp", {SHOAL_FORK_TEMPLATE}};
inline const Language kPython = {"Python", {SHOAL_PYTHON, SHOAL_FORK_TEMPLATE_PY}};

class ForkTest : public ::testing::TestWithParam<Language> {
 protected:
  void SetUp() override {
    ASSERT_EQ(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    descriptors_ = CountDescriptorsOf(getpid());
    agent_ = std::make_unique<ForkAgent>();
  }
  void TearDown() override {
    agent_.reset();
    EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1) << "a descendant is left";
    EXPECT_EQ(CountDescriptorsOf(getpid()), descriptors_);
  }

  ForkAgent& agent() { return *agent_; }
  void Start(const std::vector<std::string>& flags = {}) {
    agent_->StartTemplate(GetParam().program, flags);
    agent_->AwaitOffer();
  }
  // Of the process, which has described itself.
  Facts Describe() {
    const Facts seen = agent_->Run({"name", "describe"});
    EXPECT_EQ(seen["status"], "0") << seen["err"];
    return Facts(seen["out"]);
  }

 private:
  std::unique_ptr<ForkAgent> agent_;
  size_t descriptors_ = 0;
};

inline std::string NameOf(const ::testing::TestParamInfo<Language>& info) {
  return info.param.name;
}

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SHIM_FORK_FORK_FIXTURE_H_
