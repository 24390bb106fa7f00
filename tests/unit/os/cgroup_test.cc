#include "agent/os/cgroup.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/unit/os/scratch.h"

namespace shoal::agent {
namespace {

class CgroupTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto base = CgroupBase::Find({"", "", unique_});
    if (!base.ok()) GTEST_SKIP() << base.status();
    base_ = *std::move(base);
  }
  void TearDown() override {
    if (base_ == nullptr) return;
    base_->RemoveBase();
    EXPECT_FALSE(std::filesystem::exists(base_->path()));
  }

  const std::string unique_ = absl::StrCat("cgtest", getpid());
  std::unique_ptr<CgroupBase> base_;
};

TEST_F(CgroupTest, DirectoryOfAProcessComesAndGoes) {
  auto directory = base_->Create("ID");
  ASSERT_TRUE(directory.ok()) << directory.status();
  EXPECT_FALSE(IsCgroupPopulated(directory->get()));
  EXPECT_TRUE(CgroupMembers(directory->get())->empty());
  EXPECT_EQ(CountOomKills(directory->get()), 0);
  EXPECT_EQ(base_->Ids(), std::vector<std::string>{"ID"});
  EXPECT_TRUE(KillCgroup(directory->get()).ok());
  EXPECT_TRUE(base_->Remove("ID").ok());
  EXPECT_TRUE(base_->Remove("ID").ok());
  EXPECT_TRUE(absl::IsNotFound(base_->Open("ID").status()));
}

TEST_F(CgroupTest, CgroupsThatAProcessMadeBelowGoWithIt) {
  ASSERT_TRUE(base_->Create("ID").ok());
  std::filesystem::create_directories(base_->path() + "/p/ID/a/b");
  std::filesystem::create_directories(base_->path() + "/p/ID/c");
  const absl::Status removed = base_->Remove("ID");
  EXPECT_TRUE(removed.ok()) << removed;
}

TEST_F(CgroupTest, WhatRunsBesideAProcessIsCoveredByTheCgroupOfThat) {
  EXPECT_TRUE(absl::IsFailedPrecondition(base_->Create("ID/BESIDE").status())) << "there is none";
  const auto directory = base_->Create("ID");
  const auto beside = base_->Create("ID/BESIDE");
  ASSERT_TRUE(directory.ok() && beside.ok()) << beside.status();
  EXPECT_EQ(base_->Ids(), std::vector<std::string>{"ID"});
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  std::ofstream(base_->path() + "/p/ID/BESIDE/cgroup.procs") << child;
  EXPECT_TRUE(IsCgroupPopulated(directory->get()));
  EXPECT_EQ(*CgroupMembers(directory->get()), std::vector<int>{child});
  EXPECT_EQ(IdsInCgroup(child), (std::vector<std::string>{"BESIDE", "ID"}));
  EXPECT_FALSE(base_->Remove("ID").ok());
  EXPECT_TRUE(KillCgroup(directory->get()).ok());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_TRUE(base_->Remove("ID/BESIDE").ok());
  EXPECT_TRUE(base_->Remove("ID").ok());
}

TEST_F(CgroupTest, RecordedBaseIsTakenOnlyWhileItIsInUse) {
  const std::string other = absl::StrCat(unique_, "b");
  {
    ASSERT_TRUE(base_->Create("ID").ok());
    auto found = CgroupBase::Find({"", base_->path(), other});
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ((*found)->path(), base_->path());
  }
  ASSERT_TRUE(base_->Remove("ID").ok());
  auto found = CgroupBase::Find({"", base_->path(), other});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_NE((*found)->path(), base_->path());
  (*found)->RemoveBase();
}

TEST(CgroupBase, PlaceThatIsNoCgroupIsRefusedAndLeftAsItWas) {
  ScratchDirectory scratch;
  const auto base = CgroupBase::Find({scratch / "x", "", "u"});
  EXPECT_TRUE(absl::IsFailedPrecondition(base.status()));
  EXPECT_TRUE(absl::StrContains(base.status().message(), "is no cgroup v2")) << base.status();
  EXPECT_FALSE(std::filesystem::exists(scratch / "x"));
}

}  // namespace
}  // namespace shoal::agent
