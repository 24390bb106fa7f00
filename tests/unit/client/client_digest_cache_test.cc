// Digests that are remembered, and when they must not be.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "common/unique_fd.h"
#include "shoal/shipping/digest_cache.h"

namespace shoal {
namespace {

class DigestCacheTest : public ::testing::Test {
 protected:
  DigestCacheTest() {
    char name[] = "/tmp/shoal-digest-XXXXXX";
    directory_ = mkdtemp(name);
  }
  ~DigestCacheTest() override { std::filesystem::remove_all(directory_); }

  std::string CachePath() const { return directory_ + "/cache/digests"; }
  UniqueFd Open(const std::string& path) {
    return UniqueFd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  }
  // A program of this machine that was not changed in the last two seconds.
  static constexpr char kSettled[] = "/bin/true";

  std::string ReadCache() {
    std::ostringstream text;
    text << std::ifstream(CachePath()).rdbuf();
    return text.str();
  }

  std::string directory_;
};

TEST_F(DigestCacheTest, ASettledFileIsRememberedForTheNextProgram) {
  const UniqueFd fd = Open(kSettled);
  std::ostringstream bytes;
  bytes << std::ifstream(kSettled, std::ios::binary).rdbuf();
  DigestCache first(CachePath());
  EXPECT_EQ(first.DigestOf(fd.get(), kSettled).value(), Sha256Of(bytes.str()));
  // Told from the file alone: a wrong line is believed.
  std::string line = ReadCache();
  ASSERT_NE(line.find(DigestToHex(Sha256Of(bytes.str()))), std::string::npos) << line;
  line.replace(line.find(' ') + 1, 64, DigestToHex(Sha256Of("planted")));
  std::ofstream(CachePath()) << line;
  DigestCache second(CachePath());
  EXPECT_EQ(second.DigestOf(fd.get(), kSettled).value(), Sha256Of("planted"));
  second.Forget(fd.get());
  EXPECT_EQ(second.DigestOf(fd.get(), kSettled).value(), Sha256Of(bytes.str()));
}

TEST_F(DigestCacheTest, AFileThatHasJustChangedIsNotRemembered) {
  const std::string path = directory_ + "/file";
  std::ofstream(path) << "one";
  DigestCache cache(CachePath());
  EXPECT_EQ(cache.DigestOf(Open(path).get(), path).value(), Sha256Of("one"));
  EXPECT_EQ(ReadCache(), "");
  std::ofstream(path) << "two";
  EXPECT_EQ(cache.DigestOf(Open(path).get(), path).value(), Sha256Of("two"));
}

TEST_F(DigestCacheTest, ANewDigestTakesThePlaceOfWhatTheFileWasAndStaysInAFullCache) {
  const UniqueFd fd = Open(kSettled);
  struct stat facts {};
  ASSERT_EQ(fstat(fd.get(), &facts), 0);
  const std::string file = absl::StrCat(facts.st_dev, ":", facts.st_ino, ":");
  const std::string hex = DigestToHex(Sha256Of("other"));
  std::filesystem::create_directories(directory_ + "/cache");
  {
    std::ofstream full(CachePath());
    full << file << "1:2:3 " << hex << '\n';
    for (int i = 0; i < 999; ++i) full << "zz:" << i << ":1:2:3 " << hex << '\n';  // sort behind
  }
  DigestCache cache(CachePath());
  const std::string digest = DigestToHex(cache.DigestOf(fd.get(), kSettled).value());
  EXPECT_NE(ReadCache().find(digest), std::string::npos);
  EXPECT_EQ(ReadCache().find(file + "1:2:3 "), std::string::npos);
  // Full, and all of other files.
  {
    std::ofstream full(CachePath());
    for (int i = 0; i < 1'000; ++i) full << "zz:" << i << ":1:2:3 " << hex << '\n';
  }
  DigestCache next(CachePath());
  next.DigestOf(fd.get(), kSettled).value();
  EXPECT_NE(ReadCache().find(digest), std::string::npos);
}

TEST_F(DigestCacheTest, ADamagedFileIsNone) {
  std::filesystem::create_directories(directory_ + "/cache");
  constexpr char kText[] = "no such thing\n\0\xff \n1:2:3 ABC\n";
  std::ofstream(CachePath()) << std::string(kText, sizeof(kText) - 1);
  DigestCache cache(CachePath());
  EXPECT_TRUE(cache.DigestOf(Open(kSettled).get(), kSettled).ok());
}

}  // namespace
}  // namespace shoal
