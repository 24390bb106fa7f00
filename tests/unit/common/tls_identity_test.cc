#include "common/tls_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/self_signed.h"

namespace shoal {
namespace {

using ::shoal::testing::CertificateForm;
using ::shoal::testing::FileWith;
using ::shoal::testing::MakeSelfSigned;
using ::shoal::testing::SelfSigned;
using ::testing::HasSubstr;

constexpr TlsNames kNames = {"--cert", "--key", "--ca"};

class TlsIdentityTest : public ::testing::Test {
 protected:
  ~TlsIdentityTest() override {
    for (const std::string& path : {paths_.certificate, paths_.key, paths_.ca}) {
      unlink(path.c_str());
    }
  }

  std::string Refusal() const {
    absl::Status status = ReadTlsIdentity(paths_, kNames, TlsRole::kServer).status();
    EXPECT_FALSE(status.ok());
    return std::string(status.message());
  }

  const SelfSigned own_ = MakeSelfSigned();
  TlsPaths paths_ = {FileWith(own_.certificate), FileWith(own_.key), FileWith(own_.certificate)};
};

TEST_F(TlsIdentityTest, WhatBelongsTogetherIsReadAsItIs) {
  absl::StatusOr<TlsIdentity> identity = ReadTlsIdentity(paths_, kNames, TlsRole::kServer);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->certificate, own_.certificate);
  EXPECT_EQ(identity->key, own_.key);
  EXPECT_EQ(identity->ca, own_.certificate);
}

TEST_F(TlsIdentityTest, AKeyOfAnotherCertificateIsRefusedWithBothFiles) {
  unlink(paths_.key.c_str());
  paths_.key = FileWith(MakeSelfSigned().key);
  EXPECT_EQ(Refusal(), absl::StrCat("--cert ", paths_.certificate, " and --key ", paths_.key,
                                    " do not belong together: give the key that the certificate "
                                    "was made for"));
}

TEST_F(TlsIdentityTest, AFileWithoutWhatItIsForIsNamed) {
  const std::string text = FileWith("hello");
  TlsPaths good = paths_;
  paths_.certificate = text;
  EXPECT_EQ(Refusal(), absl::StrCat("--cert ", text, " holds no PEM certificate"));
  paths_ = good;
  paths_.key = text;
  EXPECT_EQ(Refusal(),
            absl::StrCat("--key ", text, " holds no PEM private key without a passphrase"));
  paths_ = good;
  paths_.ca = text;
  EXPECT_EQ(Refusal(), absl::StrCat("--ca ", text, " holds no PEM certificate"));
  paths_ = good;
  unlink(text.c_str());
}

TEST_F(TlsIdentityTest, FilesThatAreSwappedAreSaidToBe) {
  std::swap(paths_.certificate, paths_.key);
  EXPECT_EQ(Refusal(), absl::StrCat("--cert ", paths_.certificate,
                                    " holds a private key and no certificate: it and --key ",
                                    paths_.key, " may have been swapped"));
  std::swap(paths_.certificate, paths_.key);
}

TEST_F(TlsIdentityTest, AFileThatIsMissingOrTooLargeIsNamed) {
  const std::string large = FileWith(std::string((size_t{1} << 20) + 1, 'x'));
  TlsPaths good = paths_;
  paths_.ca = large;
  EXPECT_THAT(Refusal(), HasSubstr(absl::StrCat("--ca ", large, " is larger than 1 MiB")));
  paths_.ca = "/nonexistent";
  EXPECT_THAT(Refusal(), HasSubstr("read --ca /nonexistent: No such file"));
  paths_ = good;
  unlink(large.c_str());
}

TEST_F(TlsIdentityTest, AKeyThatOthersCanReadIsRefused) {
  ASSERT_EQ(chmod(paths_.key.c_str(), 0640), 0);
  EXPECT_EQ(Refusal(),
            absl::StrCat("--key ", paths_.key, " is not private (mode 0640): chmod 600"));
  ASSERT_EQ(chmod(paths_.key.c_str(), 0400), 0);
  EXPECT_TRUE(ReadTlsIdentity(paths_, kNames, TlsRole::kServer).ok());
}

class TlsIdentityFormTest : public TlsIdentityTest {
 protected:
  // Of a certificate of this form, that is its own authority.
  std::string RefusalOf(const CertificateForm& form, TlsRole role = TlsRole::kServer) {
    Use(MakeSelfSigned(form));
    return std::string(ReadTlsIdentity(paths_, kNames, role).status().message());
  }
  void Use(const SelfSigned& own) {
    for (const std::string& path : {paths_.certificate, paths_.key, paths_.ca}) {
      unlink(path.c_str());
    }
    paths_ = {FileWith(own.certificate), FileWith(own.key), FileWith(own.certificate)};
  }
};

TEST_F(TlsIdentityFormTest, OneThatIsNotValidNowIsRefused) {
  const std::string late = RefusalOf({.begin = -200, .end = -100});
  EXPECT_THAT(late, HasSubstr(absl::StrCat("--cert ", paths_.certificate,
                                           " has expired: it was valid until 20")));
  const std::string early = RefusalOf({.begin = 100, .end = 200});
  EXPECT_THAT(early,
              HasSubstr(absl::StrCat("--cert ", paths_.certificate, " is not valid before 20")));
}

TEST_F(TlsIdentityFormTest, OneForAnotherUseIsRefused) {
  EXPECT_THAT(RefusalOf({.use = "clientAuth"}), HasSubstr("is not for a server"));
  EXPECT_THAT(RefusalOf({.use = "serverAuth"}, TlsRole::kClient), HasSubstr("not for a client"));
  EXPECT_EQ(RefusalOf({.use = "serverAuth"}), "");
  EXPECT_EQ(RefusalOf({.use = "serverAuth,clientAuth"}, TlsRole::kClient), "");
}

TEST_F(TlsIdentityFormTest, ABrokenChainIsRefused) {
  SelfSigned own = MakeSelfSigned();
  own.certificate += MakeSelfSigned().certificate;
  Use(own);
  EXPECT_THAT(Refusal(), HasSubstr("certificate 2 has not signed the one before it"));
}

TEST_F(TlsIdentityFormTest, AnAuthorityThatHasExpiredIsRefused) {
  unlink(paths_.ca.c_str());
  paths_.ca = FileWith(MakeSelfSigned({.begin = -200, .end = -100}).certificate);
  EXPECT_THAT(Refusal(), HasSubstr(absl::StrCat("--ca ", paths_.ca, " has expired")));
}

}  // namespace
}  // namespace shoal
