// What a process knows of the files that were shipped with its program.
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <vector>

#include "common/sha256.h"
#include "shoal/shipping/shipped_here.h"

namespace shoal::internal {
namespace {

// One test: a process notes its files once.
TEST(ShippedHere, DigestsAreHandedDownAndForgottenWhenTheyWereWrong) {
  std::vector<v1::ShippedFile> files(2);
  files[0].set_path("program");
  files[0].set_sha256(Sha256Of("a program"));
  files[1].set_path("inline");
  files[1].set_data("text");
  const std::string variable = DigestsVariable(files);
  const size_t equals = variable.find('=');
  setenv("SHOAL_FILES", "/usr/../usr/bin", 1);
  setenv(variable.substr(0, equals).c_str(), variable.substr(equals + 1).c_str(), 1);
  EXPECT_FALSE(WasShipped("/usr/bin/program"));
  NoteShippedFiles();
  EXPECT_EQ(std::getenv(variable.substr(0, equals).c_str()), nullptr);
  EXPECT_TRUE(WasShipped("/usr/bin/program"));
  EXPECT_FALSE(WasShipped("/usr/binary"));
  EXPECT_EQ(DigestOfShipped("/usr/bin/program"), Sha256Of("a program"));
  EXPECT_EQ(DigestOfShipped("/usr/bin/inline"), "");
  setenv("SHOAL_FILES", "/tmp", 1);
  NoteShippedFiles();
  EXPECT_TRUE(WasShipped("/usr/bin/program")) << "a forked process runs what its parent runs";
  KeepDigestOfShipped("/usr/bin/inline", Sha256Of("text"));
  KeepDigestOfShipped("/tmp/other", Sha256Of("text"));
  EXPECT_EQ(DigestOfShipped("/usr/bin/inline"), Sha256Of("text"));
  EXPECT_EQ(DigestOfShipped("/tmp/other"), "");
  ForgetDigestsOfShipped();
  EXPECT_EQ(DigestOfShipped("/usr/bin/program"), "");
}

}  // namespace
}  // namespace shoal::internal
