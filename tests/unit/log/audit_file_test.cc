#include "agent/log/audit_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;

class AuditFileTest : public ::testing::Test {
 protected:
  AuditFileTest() {
    char name[] = "/tmp/shoal-audit-XXXXXX";
    directory_ = mkdtemp(name);
    path_ = directory_ + "/audit.log";
  }
  ~AuditFileTest() override { std::filesystem::remove_all(directory_); }

  static std::string Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  absl::Status Write(AuditFile* file, const std::vector<std::string>& lines) {
    return file->Write(lines, &written_);
  }

  std::string directory_, path_;
  size_t written_ = 0;
};

TEST_F(AuditFileTest, IsOfItsOwnerAloneAndAppendedTo) {
  AuditFile file(path_);
  ASSERT_TRUE(Write(&file, {"one\n", "two\n"}).ok());
  EXPECT_EQ(written_, 2u);
  AuditFile next(path_);
  ASSERT_TRUE(Write(&next, {"three\n"}).ok());
  EXPECT_EQ(Read(path_), "one\ntwo\nthree\n");
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(AuditFileTest, IsRotatedAtItsSizeAndFourAreKept) {
  AuditFile file(path_, /*rotate_bytes=*/8, /*kept=*/4);
  for (int i = 0; i < 7; ++i) {
    ASSERT_TRUE(Write(&file, {"line " + std::to_string(i) + " ........\n"}).ok());
  }
  EXPECT_THAT(Read(path_), HasSubstr("line 6"));
  EXPECT_THAT(Read(path_ + ".1"), HasSubstr("line 5"));
  EXPECT_THAT(Read(path_ + ".4"), HasSubstr("line 2"));
  EXPECT_FALSE(std::filesystem::exists(path_ + ".5"));
  EXPECT_EQ(file.trouble(), "");
}

TEST_F(AuditFileTest, ThatIsDeletedOrMovedAwayIsMadeAgain) {
  AuditFile file(path_);
  ASSERT_TRUE(Write(&file, {"one\n"}).ok());
  std::filesystem::remove(path_);
  ASSERT_TRUE(Write(&file, {"two\n"}).ok());
  EXPECT_EQ(Read(path_), "two\n");
  std::filesystem::rename(path_, directory_ + "/moved");
  ASSERT_TRUE(Write(&file, {"three\n"}).ok());
  EXPECT_EQ(Read(path_), "three\n");
  EXPECT_EQ(Read(directory_ + "/moved"), "two\n");
}

TEST_F(AuditFileTest, ThatIsTruncatedInItsPlaceGoesOnAtItsStart) {
  AuditFile file(path_);
  ASSERT_TRUE(Write(&file, {"one\n"}).ok());
  std::filesystem::resize_file(path_, 0);
  ASSERT_TRUE(Write(&file, {"two\n"}).ok());
  EXPECT_EQ(Read(path_), "two\n");
}

TEST_F(AuditFileTest, ALineThatAKilledAgentLeftHalfIsEnded) {
  std::ofstream(path_) << "one\nhal";
  AuditFile file(path_);
  ASSERT_TRUE(Write(&file, {"two\n"}).ok());
  EXPECT_EQ(Read(path_), "one\nhal\ntwo\n");
}

TEST_F(AuditFileTest, IsNeverALinkToAnotherFile) {
  std::ofstream(directory_ + "/other") << "other\n";
  std::filesystem::create_symlink(directory_ + "/other", path_);
  AuditFile file(path_);
  const absl::Status status = Write(&file, {"one\n"});
  EXPECT_THAT(std::string(status.message()), HasSubstr(path_));
  EXPECT_EQ(Read(directory_ + "/other"), "other\n");
}

TEST_F(AuditFileTest, WhatIsNoFileIsRefusedAndNotWaitedFor) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  AuditFile file(path_);
  EXPECT_FALSE(Write(&file, {"one\n"}).ok());
}

TEST_F(AuditFileTest, WithoutADirectoryItFailsAndWorksOnceThereIsOne) {
  const std::string path = directory_ + "/later/audit.log";
  AuditFile file(path);
  EXPECT_FALSE(Write(&file, {"one\n"}).ok());
  EXPECT_EQ(written_, 0u);
  std::filesystem::create_directory(directory_ + "/later");
  EXPECT_TRUE(Write(&file, {"one\n"}).ok());
  EXPECT_EQ(Read(path), "one\n");
}

TEST_F(AuditFileTest, ThatCannotBeRotatedGrowsAndSaysSo) {
  // A directory in the place of the oldest, that no rename can replace.
  std::filesystem::create_directories(path_ + ".1/full");
  AuditFile file(path_, /*rotate_bytes=*/4, /*kept=*/1);
  ASSERT_TRUE(Write(&file, {"one\n"}).ok());
  ASSERT_TRUE(Write(&file, {"two\n"}).ok());
  EXPECT_EQ(Read(path_), "one\ntwo\n");
  EXPECT_THAT(file.trouble(), HasSubstr("rename " + path_));
  std::filesystem::remove_all(path_ + ".1");
  ASSERT_TRUE(Write(&file, {"three\n"}).ok());
  EXPECT_EQ(file.trouble(), "");
  EXPECT_EQ(Read(path_), "three\n");
}

// The limit of file sizes cuts a write short, as a full disk does.
TEST_F(AuditFileTest, OnAFullDiskNoLineStandsHalfAndTheRestFollows) {
  AuditFile file(path_);
  ASSERT_TRUE(Write(&file, {"0123456789\n"}).ok());
  const auto old_action = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  getrlimit(RLIMIT_FSIZE, &old_limit);
  const rlimit limit{.rlim_cur = 28, .rlim_max = old_limit.rlim_max};
  setrlimit(RLIMIT_FSIZE, &limit);
  const absl::Status status = Write(&file, {"abcdefghij\n", "klmnopqrst\n"});
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_action);
  EXPECT_FALSE(status.ok());
  EXPECT_EQ(written_, 1u);
  EXPECT_EQ(Read(path_), "0123456789\nabcdefghij\n");
  ASSERT_TRUE(Write(&file, {"klmnopqrst\n"}).ok());
  EXPECT_EQ(Read(path_), "0123456789\nabcdefghij\nklmnopqrst\n");
}

}  // namespace
}  // namespace shoal::agent
