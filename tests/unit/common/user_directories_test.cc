#include "common/user_directories.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

#include "gtest/gtest.h"

namespace shoal {
namespace {

class UserDirectoriesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    setenv("HOME", "/home/ann", 1);
    for (const char* name :
         {"XDG_RUNTIME_DIR", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"}) {
      unsetenv(name);
    }
  }
};

TEST_F(UserDirectoriesTest, AreBelowHomeWithoutVariables) {
  EXPECT_EQ(ConfigDirectory(), "/home/ann/.config/shoal");
  EXPECT_EQ(CacheDirectory(), "/home/ann/.cache/shoal");
}

TEST_F(UserDirectoriesTest, FollowVariablesThatAreAbsolute) {
  setenv("XDG_CONFIG_HOME", "/c", 1);
  setenv("XDG_CACHE_HOME", "relative", 1);
  EXPECT_EQ(ConfigDirectory(), "/c/shoal");
  EXPECT_EQ(CacheDirectory(), "/home/ann/.cache/shoal");
}

// As in a job of cron, or of a service.
TEST_F(UserDirectoriesTest, WithoutHomeAreBelowTheHomeOfTheUser) {
  const std::string home = getpwuid(geteuid())->pw_dir;
  for (const char* value : {"", "relative"}) {
    setenv("HOME", value, 1);
    EXPECT_EQ(ConfigDirectory(), home + "/.config/shoal");
    EXPECT_EQ(CacheDirectory(), home + "/.cache/shoal");
  }
  unsetenv("HOME");
  EXPECT_EQ(ConfigDirectory(), home + "/.config/shoal");
}

TEST_F(UserDirectoriesTest, OfRootAreTheSystems) {
  setenv("XDG_RUNTIME_DIR", "/r", 1);
  setenv("XDG_STATE_HOME", "/s", 1);
  const bool is_root = geteuid() == 0;
  EXPECT_EQ(RuntimeDirectory(), is_root ? "/run/shoal" : "/r/shoal");
  EXPECT_EQ(StateDirectory(), is_root ? "/var/lib/shoal" : "/s/shoal");
}

}  // namespace
}  // namespace shoal
