// Files on their way to an agent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "shoal/host.h"
#include "shoal/shipping.h"
#include "tests/support/fake_agent.h"

namespace shoal {
namespace {

using ::shoal::testing::FakeAgent;

class ShippingTest : public ::testing::Test {
 protected:
  ShippingTest() : agent_("a"), host_(*Host::Create(UnixAddress(agent_.socket_path()))) {}

  static ShipFile Holding(const std::string& path, std::string content) {
    ShipFile file;
    file.path = path;
    file.content = std::move(content);
    return file;
  }

  FakeAgent agent_;
  std::shared_ptr<Host> host_;
  const std::string large_ = std::string(1 << 20, 'x');
};

TEST_F(ShippingTest, WhatIsSmallComesWithTheSpec) {
  auto files = Ship(host_.get(), {Holding("a", "text")});
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ(files->at(0).data(), "text");
  EXPECT_EQ(agent_.Calls("FindMissing"), 0);
}

TEST_F(ShippingTest, WhatIsLargeIsSentOnceByItsDigest) {
  for (int i = 0; i < 2; ++i) {
    auto files = Ship(host_.get(), {Holding("a", large_), Holding("b", large_)});
    ASSERT_TRUE(files.ok()) << files.status();
    EXPECT_EQ(files->at(0).sha256(), files->at(1).sha256());
    EXPECT_THAT(agent_.blobs(),
                ::testing::ElementsAre(::testing::Pair(files->at(0).sha256(), large_)));
  }
  EXPECT_EQ(agent_.Calls("BlobWrite"), 1);
}

TEST_F(ShippingTest, WhatCannotBeSentIsNamedWithTheHost) {
  agent_.FailNext("BlobWrite", absl::ResourceExhaustedError("the disk is full"));
  EXPECT_EQ(Ship(host_.get(), {Holding("mesh.h5", large_)}).status(),
            absl::ResourceExhaustedError(absl::StrCat("cannot send mesh.h5 to host \"",
                                                      host_->name(), "\": the disk is full")));
}

TEST_F(ShippingTest, ABrokenTransferIsGoneOnWith) {
  agent_.FailNext("BlobWrite", absl::UnavailableError("Socket closed"));
  EXPECT_TRUE(Ship(host_.get(), {Holding("a", large_)}).ok());
  EXPECT_EQ(agent_.blobs().size(), 1u);
}

}  // namespace
}  // namespace shoal
