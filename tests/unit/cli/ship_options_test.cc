// What --ship means.
#include "client/cli/ship_options.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace shoal::cli {
namespace {

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

TEST_F(ShipOptionsTest, WhatIsSentIsSaidByItsFirstFile) {
  const std::vector<ShipFile> one = {Parse("sim")};
  EXPECT_EQ(DescribeShipping(one, 1), "sending sim to 1 host");
  const std::vector<ShipFile> three = {Parse("sim"), Parse("mesh.h5"), Parse("a:b")};
  EXPECT_EQ(DescribeShipping(three, 4), "sending sim and 2 more files to 4 hosts");
  EXPECT_EQ(DescribeShipping({Parse("sim"), Parse("mesh.h5")}, 2),
            "sending sim and 1 more file to 2 hosts");
}

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
  auto refused = [](const std::string& word) { return ParseShip({word}).status(); };
  EXPECT_EQ(refused(directory_), absl::FailedPreconditionError(
                                     "cannot ship " + directory_ +
                                     ": it is a directory; ship the files in it, or an archive"));
  EXPECT_EQ(refused("/dev/null"),
            absl::FailedPreconditionError("cannot ship /dev/null: it is no file"));
  EXPECT_EQ(
      refused(directory_ + "/absent"),
      absl::NotFoundError("cannot ship " + directory_ + "/absent: No such file or directory"));
  for (const std::string& word : {directory_ + "/sim:", std::string(":name")}) {
    EXPECT_EQ(refused(word),
              absl::InvalidArgumentError("--ship \"" + word + "\" is not of the form FILE:NAME"));
  }
}

TEST_F(ShipOptionsTest, ANameThatNoAgentWouldTakeIsRefusedHere) {
  const auto refused = [this](const std::vector<std::string>& words) {
    std::vector<std::string> whole;
    whole.reserve(words.size());
    for (const std::string& word : words) whole.push_back(directory_ + "/" + word);
    return std::string(ParseShip(whole).status().message());
  };
  EXPECT_EQ(refused({"sim:/bin/sim"}),
            "--ship: the name there '/bin/sim' is absolute: it must be relative to the files");
  EXPECT_EQ(
      refused({"sim:../sim"}),
      "--ship: the name there '../sim' has an empty part, '.' or '..': it must stay below the "
      "files");
  EXPECT_EQ(refused({"sim", "mesh.h5:sim"}),
            "--ship: the name there 'sim' stands twice, or is a file and a directory");
  EXPECT_EQ(refused({"libx.so.3:a;b/libx.so.3"}),
            "--ship: the name there 'a;b/libx.so.3' of a library must not contain ':' or ';' "
            "(ld.so(8))");
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
