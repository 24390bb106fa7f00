// What --ship means.
#include "client/cli/ship_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace shoal::cli {
namespace {

using ::testing::HasSubstr;

class ShipOptionsTest : public ::testing::Test {
 protected:
  ShipOptionsTest() {
    char name[] = "/tmp/shoal-ship-XXXXXX";
    directory_ = mkdtemp(name);
    Make("sim", 0700);
    Make("mesh.h5", 0600);
    Make("a:b", 0600);
    Make("libx.so.3", 0600);
  }
  ~ShipOptionsTest() override { std::filesystem::remove_all(directory_); }

  void Make(const std::string& name, mode_t mode) {
    std::ofstream(directory_ + "/" + name) << "x";
    chmod((directory_ + "/" + name).c_str(), mode);
  }
  ShipFile Parse(const std::string& word) {
    absl::StatusOr<std::vector<ShipFile>> files = ParseShip({directory_ + "/" + word});
    EXPECT_TRUE(files.ok()) << files.status();
    return files.ok() ? files->at(0) : ShipFile();
  }

  std::string directory_;
};

TEST_F(ShipOptionsTest, AFileKeepsItsNameOrGetsAnother) {
  EXPECT_EQ(Parse("sim").path, "sim");
  EXPECT_EQ(Parse("sim:bin/simulate").path, "bin/simulate");
  EXPECT_EQ(Parse("a:b").path, "a:b") << "it is there under that name";
  EXPECT_EQ(Parse("a:b:c").path, "c");
}

TEST_F(ShipOptionsTest, ModeAndNameSayWhatItIs) {
  EXPECT_TRUE(Parse("sim").executable);
  EXPECT_FALSE(Parse("mesh.h5").executable);
  EXPECT_TRUE(Parse("libx.so.3").library);
  EXPECT_FALSE(Parse("sim").library);
}

TEST_F(ShipOptionsTest, WhatIsWrongIsNamed) {
  EXPECT_THAT(std::string(ParseShip({directory_}).status().message()), HasSubstr("a directory"));
  EXPECT_THAT(std::string(ParseShip({directory_ + "/absent"}).status().message()),
              HasSubstr("absent: No such file"));
  EXPECT_THAT(std::string(ParseShip({directory_ + "/sim:"}).status().message()),
              HasSubstr("FILE:NAME"));
  EXPECT_THAT(std::string(ParseShip({":name"}).status().message()), HasSubstr("FILE:NAME"));
}

TEST_F(ShipOptionsTest, AProgramThatIsSentAlongIsRunWhereItCameTo) {
  const std::vector<ShipFile> files = {Parse("sim"), Parse("mesh.h5:mesh")};
  EXPECT_EQ(ProgramThere(directory_ + "/sim", files), "./sim");
  EXPECT_EQ(ProgramThere(directory_ + "/../" + directory_.substr(5) + "/sim", files), "./sim");
  EXPECT_EQ(ProgramThere("./mesh", files), "./mesh");
  EXPECT_EQ(ProgramThere("sim", files), "sim") << "found in PATH";
  EXPECT_EQ(ProgramThere("/bin/true", files), "/bin/true");
}

}  // namespace
}  // namespace shoal::cli
