#include "client/cli/names.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace shoal::cli {
namespace {

class NamesTest : public ::testing::Test {
 protected:
  // The answer of a resolver that knows "there", hangs for "slow", and fails for "broken".
  absl::Status Check(const std::vector<std::string>& names, absl::Duration patience) {
    std::vector<HostAddress> addresses;
    addresses.reserve(names.size());
    for (const std::string& name : names) addresses.push_back({name, name, 7420, ""});
    return CheckThatNamesResolve(
        addresses, patience, [this](const std::string& name, LookUpQueue::Done done) {
          asked_.push_back(name);
          if (name == "slow") return held_.push_back(std::move(done));
          if (name == "there") return std::move(done)(Addresses{"10.0.0.1"});
          if (name == "broken") return std::move(done)(absl::UnavailableError("no thread"));
          std::move(done)(absl::NotFoundError("the name does not resolve"));
        });
  }

  std::vector<std::string> asked_;
  std::vector<LookUpQueue::Done> held_;
};

TEST_F(NamesTest, TheFirstThatDoesNotResolveIsNamed) {
  EXPECT_EQ(Check({"there", "nowhere", "neither"}, absl::Seconds(60)),
            absl::UnavailableError("host \"nowhere\" does not resolve"));
  EXPECT_TRUE(Check({"there"}, absl::Seconds(60)).ok());
}

TEST_F(NamesTest, OneThatHangsHoldsUpNeitherTheOthersNorTheCommand) {
  EXPECT_TRUE(Check({"slow", "there"}, absl::ZeroDuration()).ok());
  EXPECT_EQ(asked_, (std::vector<std::string>{"slow", "there"}));
  EXPECT_EQ(Check({"slow", "nowhere"}, absl::ZeroDuration()),
            absl::UnavailableError("host \"nowhere\" does not resolve"));
  // An answer that comes later is for nobody.
  for (LookUpQueue::Done& done : held_) std::move(done)(absl::NotFoundError("late"));
}

TEST_F(NamesTest, NothingIsSaidOfANameThatCouldNotBeAskedFor) {
  EXPECT_TRUE(Check({"broken"}, absl::Seconds(60)).ok());
}

TEST_F(NamesTest, ThisMachineIsNotAskedFor) {
  EXPECT_TRUE(Check({"localhost"}, absl::Seconds(60)).ok());
  EXPECT_TRUE(asked_.empty());
}

}  // namespace
}  // namespace shoal::cli
