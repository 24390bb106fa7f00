// Who has sent which blob, on the disk.
#include "agent/os/blob_holders.h"

#include <gmock/gmock.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "tests/unit/os/scratch.h"

namespace shoal::agent {
namespace {

class BlobHoldersTest : public ::testing::Test {
 protected:
  BlobHoldersTest() { Open(); }

  void Open() {
    holders_.reset();
    absl::StatusOr<std::unique_ptr<BlobHolders>> opened =
        BlobHolders::Open(scratch_ / "holders",
                          [this](const std::string& sha256) { return !gone_.contains(sha256); });
    ASSERT_TRUE(opened.ok()) << opened.status();
    holders_ = *std::move(opened);
  }
  static auto Of(absl::string_view caller) {
    return [caller](absl::string_view identity) { return identity == caller; };
  }
  bool Holds(absl::string_view caller) { return holders_->Holds(blob_, Of(caller)); }

  ScratchDirectory scratch_;
  const std::string blob_ = Sha256Of("a blob");
  std::set<std::string> gone_;
  std::unique_ptr<BlobHolders> holders_;
};

TEST_F(BlobHoldersTest, KnowsThemAlsoAfterARestart) {
  EXPECT_FALSE(Holds("dns:a"));
  holders_->Add(blob_, "dns:a");
  holders_->Add(blob_, "dns:b");
  holders_->Add(blob_, "dns:a");
  Open();
  EXPECT_TRUE(Holds("dns:a"));
  EXPECT_TRUE(Holds("dns:b"));
  EXPECT_FALSE(Holds("dns:c"));
  EXPECT_FALSE(holders_->Holds(Sha256Of("another"), Of("dns:a")));
}

TEST_F(BlobHoldersTest, AllAreTheCallersOnlyIfThereIsNoOther) {
  EXPECT_FALSE(holders_->IsAll(blob_, Of("dns:a")));
  holders_->Add(blob_, "dns:a");
  EXPECT_TRUE(holders_->IsAll(blob_, Of("dns:a")));
  holders_->Add(blob_, "dns:b");
  EXPECT_FALSE(holders_->IsAll(blob_, Of("dns:a")));
}

TEST_F(BlobHoldersTest, OneThatActsForAllHasAll) {
  const auto all = [](absl::string_view) { return true; };
  EXPECT_TRUE(holders_->Holds(blob_, all));
  EXPECT_TRUE(holders_->IsAll(blob_, all));
}

TEST_F(BlobHoldersTest, WhatIsForgottenOrGoneIsNotKnownAgain) {
  holders_->Add(blob_, "dns:a");
  holders_->Forget(blob_);
  EXPECT_FALSE(Holds("dns:a"));
  Open();
  EXPECT_FALSE(Holds("dns:a"));
  holders_->Add(blob_, "dns:a");
  gone_.insert(blob_);
  Open();
  gone_.clear();
  Open();
  EXPECT_FALSE(Holds("dns:a"));
}

TEST_F(BlobHoldersTest, OfTooManyTheOldestGoes) {
  for (int i = 0; i < 257; ++i) holders_->Add(blob_, absl::StrCat("dns:", i));
  Open();
  EXPECT_FALSE(Holds("dns:0"));
  EXPECT_TRUE(Holds("dns:1"));
  EXPECT_TRUE(Holds("dns:256"));
}

TEST_F(BlobHoldersTest, FilesOfOthersAreNoLists) {
  WriteFile(scratch_ / "holders/notes", "dns:a\n");
  WriteFile(scratch_ / ("holders/" + DigestToHex(blob_) + ".new"), "dns:a\n");
  Open();
  EXPECT_FALSE(Holds("dns:a"));
}

}  // namespace
}  // namespace shoal::agent
