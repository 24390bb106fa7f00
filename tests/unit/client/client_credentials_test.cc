#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "shoal/credentials.h"

namespace shoal {
namespace {

using ::testing::HasSubstr;

std::string FileWith(const std::string& text) {
  std::string path = testing::TempDir() + "/credentials-XXXXXX";
  int fd = mkstemp(path.data());
  FILE* file = fdopen(fd, "w");
  fputs(text.c_str(), file);
  fclose(file);
  return path;
}

TEST(Credentials, WithoutACertificateOnlyThisMachineIsSpokenTo) {
  Credentials none;
  EXPECT_TRUE(none.MaySpeakTo(ParseHostList("unix:/a")->at(0)).ok());
  EXPECT_TRUE(none.MaySpeakTo(ParseHostList("127.0.0.1")->at(0)).ok());
  absl::Status refused = none.MaySpeakTo(ParseHostList("10.0.0.1")->at(0));
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("SHOAL_TLS_CERT"));
}

TEST(Credentials, AllThreeFilesOrNone) {
  std::string pem = FileWith("-----BEGIN CERTIFICATE-----\n");
  EXPECT_FALSE(Credentials::Load({})->has_certificate());
  EXPECT_TRUE(Credentials::Load({pem, pem, pem})->has_certificate());
  absl::Status partial = Credentials::Load({pem, "", pem}).status();
  EXPECT_EQ(partial.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(partial.message()), HasSubstr("SHOAL_TLS_KEY"));
  remove(pem.c_str());
}

TEST(Credentials, AFileThatIsMissingOrNoPemIsNamed) {
  std::string text = FileWith("hello");
  std::string pem = FileWith("-----BEGIN CERTIFICATE-----\n");
  EXPECT_THAT(std::string(Credentials::Load({pem, text, pem}).status().message()), HasSubstr(text));
  EXPECT_THAT(std::string(Credentials::Load({"/nonexistent", pem, pem}).status().message()),
              HasSubstr("/nonexistent: No such file"));
  remove(text.c_str());
  remove(pem.c_str());
}

TEST(Credentials, TheEnvironmentFillsWhatIsNotGiven) {
  std::string pem = FileWith("-----BEGIN CERTIFICATE-----\n");
  setenv("SHOAL_TLS_CERT", pem.c_str(), 1);
  setenv("SHOAL_TLS_KEY", pem.c_str(), 1);
  setenv("SHOAL_TLS_CA", "/nonexistent", 1);
  EXPECT_FALSE(Credentials::FromEnvironment().ok());
  EXPECT_TRUE(Credentials::FromEnvironment({"", "", pem}).ok());
  for (const char* name : {"SHOAL_TLS_CERT", "SHOAL_TLS_KEY", "SHOAL_TLS_CA"}) unsetenv(name);
  remove(pem.c_str());
}

}  // namespace
}  // namespace shoal
