#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "shoal/credentials.h"
#include "tests/support/self_signed.h"

namespace shoal {
namespace {

using ::shoal::testing::FileWith;
using ::shoal::testing::MakeSelfSigned;
using ::shoal::testing::SelfSigned;

// Files of a certificate and its key.
struct Files {
  const SelfSigned own = MakeSelfSigned();
  const std::string certificate = FileWith(own.certificate);
  const std::string key = FileWith(own.key);
  ~Files() {
    unlink(certificate.c_str());
    unlink(key.c_str());
  }
};

struct Missing {
  TlsFiles files;
  const char* what;
};

TEST(Credentials, WithoutACertificateOnlyThisMachineIsSpokenTo) {
  Credentials none;
  EXPECT_TRUE(none.MaySpeakTo(ParseHostList("unix:/a")->at(0)).ok());
  EXPECT_TRUE(none.MaySpeakTo(ParseHostList("127.0.0.1")->at(0)).ok());
  absl::Status refused = none.MaySpeakTo(ParseHostList("10.0.0.1")->at(0));
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(refused.message(),
            "host \"10.0.0.1\" is reached over TCP, which needs a certificate: set SHOAL_TLS_CERT, "
            "SHOAL_TLS_KEY and SHOAL_TLS_CA");
}

TEST(Credentials, AllThreeFilesOrNone) {
  Files files;
  EXPECT_FALSE(Credentials::Load({})->has_certificate());
  absl::StatusOr<Credentials> loaded =
      Credentials::Load({files.certificate, files.key, files.certificate});
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->cert_pem(), files.own.certificate);
  EXPECT_EQ(loaded->key_pem(), files.own.key);
  EXPECT_EQ(loaded->ca_pem(), files.own.certificate);
  const std::string& pem = files.certificate;
  for (const Missing& row :
       {Missing{{"", pem, pem}, "the certificate (SHOAL_TLS_CERT)"},
        Missing{{pem, "", pem}, "its private key (SHOAL_TLS_KEY)"},
        Missing{{pem, "", ""},
                "its private key (SHOAL_TLS_KEY), the certificate authority (SHOAL_TLS_CA)"}}) {
    EXPECT_EQ(
        Credentials::Load(row.files).status(),
        absl::InvalidArgumentError(absl::StrCat("TLS needs three files; missing: ", row.what)));
  }
}

TEST(Credentials, AFileThatIsMissingOrIsNotWhatItShouldBeIsNamed) {
  Files files;
  const std::string& pem = files.certificate;
  const std::string large = FileWith(std::string((1 << 20) + 1, 'x'));
  EXPECT_EQ(
      Credentials::Load({pem, pem, pem}).status().message(),
      absl::StrCat("the private key ", pem, " holds no PEM private key without a passphrase"));
  EXPECT_EQ(Credentials::Load({pem, files.key, large}).status().message(),
            absl::StrCat("the certificate authority ", large, " is larger than 1 MiB"));
  EXPECT_EQ(Credentials::Load({"/nonexistent", files.key, pem}).status().message(),
            "cannot read the certificate /nonexistent: No such file or directory");
  EXPECT_EQ(Credentials::Load({"/", files.key, pem}).status().message(),
            "the certificate / is no regular file");
  unlink(large.c_str());
}

TEST(Credentials, AKeyOfAnotherCertificateIsRefused) {
  Files files;
  Files other;
  EXPECT_EQ(
      Credentials::Load({files.certificate, other.key, files.certificate}).status().message(),
      absl::StrCat("the certificate ", files.certificate, " and the private key ", other.key,
                   " do not belong together: give the key that the certificate was made for"));
}

TEST(Credentials, TheEnvironmentFillsWhatIsNotGiven) {
  Files files;
  setenv("SHOAL_TLS_CERT", files.certificate.c_str(), 1);
  setenv("SHOAL_TLS_KEY", files.key.c_str(), 1);
  setenv("SHOAL_TLS_CA", "/nonexistent", 1);
  EXPECT_FALSE(Credentials::FromEnvironment().ok());
  EXPECT_TRUE(Credentials::FromEnvironment({"", "", files.certificate}).ok());
  for (const char* name : {"SHOAL_TLS_CERT", "SHOAL_TLS_KEY", "SHOAL_TLS_CA"}) unsetenv(name);
}

}  // namespace
}  // namespace shoal
