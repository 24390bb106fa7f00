// The certificate of a client whose files are renewed while it runs.
#include "shoal/wire/client_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/support/self_signed.h"

namespace shoal {
namespace {

using ::shoal::testing::FileWith;
using ::shoal::testing::MakeSelfSigned;
using ::shoal::testing::SelfSigned;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class ClientIdentityTest : public ::testing::Test {
 protected:
  ClientIdentityTest() : identity_(*Credentials::Load({certificate_, key_, ca_})) {}
  ~ClientIdentityTest() override {
    for (const std::string* path : {&certificate_, &key_, &ca_}) unlink(path->c_str());
  }
  static void Put(const std::string& path, const std::string& text) { std::ofstream(path) << text; }
  std::string shown() const { return identity_.current().cert_pem(); }

  const SelfSigned first_ = MakeSelfSigned();
  const SelfSigned second_ = MakeSelfSigned();
  const std::string certificate_ = FileWith(first_.certificate);
  const std::string key_ = FileWith(first_.key);
  const std::string ca_ = FileWith(first_.certificate);
  ClientIdentity identity_;
};

TEST_F(ClientIdentityTest, ARenewedCertificateIsTakenOnceItsKeyIsThere) {
  EXPECT_FALSE(identity_.Renew()) << "nothing has changed";
  Put(certificate_, second_.certificate.substr(0, second_.certificate.size() / 2));
  EXPECT_FALSE(identity_.Renew()) << "half of it";
  Put(certificate_, second_.certificate);
  EXPECT_FALSE(identity_.Renew()) << "the key is still the old one's";
  EXPECT_EQ(shown(), first_.certificate);
  Put(key_, second_.key);
  EXPECT_TRUE(identity_.Renew());
  EXPECT_EQ(shown(), second_.certificate);
  EXPECT_EQ(identity_.current().key_pem(), second_.key);
  EXPECT_FALSE(identity_.Renew()) << "once";
}

TEST_F(ClientIdentityTest, FilesThatAreGoneOrExpiredChangeNothing) {
  const SelfSigned expired = MakeSelfSigned({.begin = -7200, .end = -3600});
  Put(certificate_, expired.certificate);
  Put(key_, expired.key);
  EXPECT_FALSE(identity_.Renew());
  unlink(key_.c_str());
  EXPECT_FALSE(identity_.Renew());
  EXPECT_EQ(shown(), first_.certificate);
}

TEST_F(ClientIdentityTest, AnotherAuthorityIsTakenToo) {
  Put(ca_, absl::StrCat(first_.certificate, second_.certificate));
  EXPECT_TRUE(identity_.Renew());
  EXPECT_EQ(identity_.current().ca_pem(), absl::StrCat(first_.certificate, second_.certificate));
}

TEST_F(ClientIdentityTest, OneThatHasExpiredIsToldWithItsFileAndWhatToDo) {
  EXPECT_EQ(identity_.Expiry(absl::Now()), "");
  const absl::Time later = absl::Now() + absl::Hours(2);
  EXPECT_THAT(
      identity_.Expiry(later),
      AllOf(HasSubstr(absl::StrCat("the certificate of this program, ", certificate_,
                                   ", has expired: it was valid until 20")),
            HasSubstr(
                " UTC; put a renewed certificate and its key there, which the next attempt reads"),
            Not(HasSubstr("is not taken"))));
  Put(certificate_, second_.certificate);
  EXPECT_FALSE(identity_.Renew());
  EXPECT_THAT(identity_.Expiry(later), AllOf(HasSubstr("; what the files hold now is not taken: "),
                                             HasSubstr("made for; put a renewed")));
}

TEST(ClientIdentity, WithoutACertificateThereIsNothingToRenew) {
  ClientIdentity none{Credentials()};
  EXPECT_FALSE(none.is_of_files());
  EXPECT_FALSE(none.Renew());
  EXPECT_EQ(none.Expiry(absl::InfiniteFuture()), "");
}

}  // namespace
}  // namespace shoal
