// Blobs are written and read over broken connections.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "shoal/host.h"
#include "tests/support/fake_agent.h"

namespace shoal {
namespace {

using ::shoal::testing::FakeAgent;

constexpr size_t kPieceBytes = 100;

class BlobTest : public ::testing::Test {
 protected:
  BlobTest() : agent_("a"), host_(*Host::Create(UnixAddress(agent_.socket_path()))) {
    for (int i = 0; i < 1000; ++i) absl::StrAppend(&content_, i, ",");
    agent_.SetFrameBytes(kPieceBytes);
  }

  absl::Status Write(CallOptions options = {}) {
    BlobSource source;
    source.sha256 = "blob";
    source.size_bytes = static_cast<int64_t>(content_.size());
    source.read = [this](int64_t offset) -> absl::StatusOr<std::string> {
      return content_.substr(static_cast<size_t>(offset), kPieceBytes);
    };
    return host_->WriteBlob(source, options);
  }

  absl::Status Read(int64_t offset = 0, CallOptions options = {}) {
    got_.clear();
    return host_->ReadBlob(
        "blob", offset,
        [&](int64_t at, absl::string_view data) {
          EXPECT_EQ(at, offset + static_cast<int64_t>(got_.size()));
          absl::StrAppend(&got_, data);
          return absl::OkStatus();
        },
        options);
  }

  FakeAgent agent_;
  const std::shared_ptr<Host> host_;
  std::string content_;
  std::string got_;
};

TEST_F(BlobTest, ComesBackAsItWasWritten) {
  ASSERT_TRUE(Write().ok());
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(got_, content_);
  ASSERT_TRUE(Read(10).ok());
  EXPECT_EQ(got_, content_.substr(10));
  EXPECT_EQ(agent_.Calls("BlobWrite"), 1);
}

TEST_F(BlobTest, AWriteThatBreaksGoesOnAtWhatTheHostHas) {
  ASSERT_TRUE(host_->GetFacts().ok());
  agent_.BreakAfter("BlobWrite", 7, 3);
  ASSERT_TRUE(Write().ok());
  EXPECT_EQ(agent_.Calls("BlobWrite"), 4);
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(got_, content_);
}

TEST_F(BlobTest, AWriteWhoseAnswerIsLostIsNotMadeAgain) {
  agent_.LoseAnswer("BlobWrite");
  EXPECT_TRUE(Write().ok());
  EXPECT_EQ(agent_.Calls("BlobWrite"), 1);
}

TEST_F(BlobTest, AReadThatBreaksGoesOnWhereItWas) {
  ASSERT_TRUE(Write().ok());
  agent_.BreakAfter("BlobRead", 5, 4);
  ASSERT_TRUE(Read().ok());
  EXPECT_EQ(got_, content_);
  EXPECT_EQ(agent_.Calls("BlobRead"), 5);
}

TEST_F(BlobTest, WithoutRetriesTheFirstBreakIsTheEnd) {
  ASSERT_TRUE(Write().ok());
  CallOptions once;
  once.retry = false;
  agent_.BreakAfter("BlobRead", 5, 1);
  EXPECT_TRUE(absl::IsUnavailable(Read(0, once)));
  EXPECT_EQ(got_, content_.substr(0, 5 * kPieceBytes));
  agent_.BreakAfter("BlobWrite", 2, 1);
  EXPECT_TRUE(absl::IsUnavailable(Write(once)));
}

TEST_F(BlobTest, WhatIsNoTroubleOfTheConnectionIsTheAnswer) {
  EXPECT_TRUE(absl::IsNotFound(Read()));
  agent_.BreakAfter("BlobWrite", 2, 1, absl::DataLossError("not what the digest says"));
  EXPECT_TRUE(absl::IsDataLoss(Write()));
  EXPECT_EQ(agent_.Calls("BlobWrite"), 1);
  ASSERT_TRUE(Write().ok());
  EXPECT_TRUE(absl::IsAborted(host_->ReadBlob("blob", 0, [](int64_t, absl::string_view) {
    return absl::AbortedError("the disk is full");
  })));
}

}  // namespace
}  // namespace shoal
