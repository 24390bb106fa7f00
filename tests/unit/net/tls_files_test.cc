// The copies of the agent's certificates.
#include "agent/net/tls_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/self_signed.h"

namespace shoal::agent {
namespace {

using ::shoal::testing::MakeSelfSigned;
using ::shoal::testing::SelfSigned;
using ::testing::HasSubstr;

std::string TextOf(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class TlsFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    directory_ = ::testing::TempDir() + "/shoal-tls-files-XXXXXX";
    ASSERT_NE(mkdtemp(directory_.data()), nullptr);
    std::filesystem::create_directory(Copies());
    Write(first_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string Copies() const { return directory_ + "/run"; }
  TlsPaths Sources() const {
    return {directory_ + "/cert", directory_ + "/key", directory_ + "/ca"};
  }
  void Write(const SelfSigned& identity) {
    std::ofstream(Sources().certificate) << identity.certificate;
    std::ofstream(Sources().key) << identity.key;
    std::filesystem::permissions(Sources().key, std::filesystem::perms::owner_read);
    std::ofstream(Sources().ca) << identity.certificate;
  }

  const SelfSigned first_ = MakeSelfSigned();
  const SelfSigned second_ = MakeSelfSigned();
  std::string directory_;
};

TEST_F(TlsFilesTest, CopiesArePrivateAndGoWithIt) {
  {
    const auto files = TlsFiles::Open(Sources(), Copies());
    ASSERT_TRUE(files.ok()) << files.status();
    EXPECT_EQ(TextOf((*files)->copies().key), first_.key);
    struct stat key {};
    ASSERT_EQ(stat((*files)->copies().key.c_str(), &key), 0);
    EXPECT_EQ(key.st_mode & 0777, 0600u);
    EXPECT_EQ((*files)->ca(), first_.certificate);
  }
  EXPECT_TRUE(std::filesystem::is_empty(Copies()));
}

TEST_F(TlsFilesTest, AReloadTakesAllThreeAndGivesThemAnotherTime) {
  const auto files = TlsFiles::Open(Sources(), Copies());
  ASSERT_TRUE(files.ok()) << files.status();
  struct stat before {
  }, after{};
  ASSERT_EQ(stat((*files)->copies().key.c_str(), &before), 0);
  std::filesystem::remove(Sources().key);
  Write(second_);
  ASSERT_TRUE((*files)->Reload().ok());
  EXPECT_EQ(TextOf((*files)->copies().certificate), second_.certificate);
  EXPECT_EQ(TextOf((*files)->copies().key), second_.key);
  EXPECT_EQ((*files)->ca(), second_.certificate);
  ASSERT_EQ(stat((*files)->copies().key.c_str(), &after), 0);
  EXPECT_NE(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
}

TEST_F(TlsFilesTest, WhatIsOfNoUseIsNotTaken) {
  const auto files = TlsFiles::Open(Sources(), Copies());
  ASSERT_TRUE(files.ok()) << files.status();
  std::filesystem::remove(Sources().key);
  std::ofstream(Sources().key) << second_.key;
  std::filesystem::permissions(Sources().key, std::filesystem::perms::owner_read);
  const absl::Status refused = (*files)->Reload();
  EXPECT_THAT(std::string(refused.message()), HasSubstr("do not belong together"));
  EXPECT_EQ(TextOf((*files)->copies().key), first_.key);
  EXPECT_EQ(TextOf((*files)->copies().certificate), first_.certificate);
}

TEST_F(TlsFilesTest, KeysOfAnAgentThatWasKilledAreRemoved) {
  std::filesystem::create_directory(Copies() + "/tls.7");
  std::ofstream(Copies() + "/tls.7/key.pem") << "secret";
  const auto files = TlsFiles::Open(Sources(), Copies());
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_FALSE(std::filesystem::exists(Copies() + "/tls.7"));
}

}  // namespace
}  // namespace shoal::agent
