// A program that runs for longer than its first certificate is valid.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/boot_time.h"
#include "shoal/host.h"
#include "tests/support/self_signed.h"
#include "tests/support/tls_agent.h"

namespace shoal {
namespace {

using ::shoal::testing::FileWith;
using ::shoal::testing::MakeSelfSigned;
using ::shoal::testing::SelfSigned;
using ::shoal::testing::TlsAgent;
using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr absl::Duration kRenewalDeadline = absl::Seconds(60);

class RenewedCertificateTest : public ::testing::Test {
 protected:
  explicit RenewedCertificateTest(long valid_seconds = 3600)
      : first_(MakeSelfSigned({.end = valid_seconds})),
        certificate_(FileWith(first_.certificate)),
        key_(FileWith(first_.key)) {
    HostOptions options;
    options.credentials = *Credentials::Load({certificate_, key_, ca_});
    host_ = *Host::Create(ParseHostList(absl::StrCat("127.0.0.1:", agent_.port()))->at(0), options);
  }
  ~RenewedCertificateTest() override {
    for (const std::string* path : {&certificate_, &key_, &ca_}) unlink(path->c_str());
  }

  static void Put(const std::string& path, const std::string& text) { std::ofstream(path) << text; }
  // Reconnects until the agent has seen this certificate.
  bool IsShown(const std::string& certificate) {
    const BootTime end = BootTime::Now() + kRenewalDeadline;
    while (agent_.seen() != certificate && BootTime::Now() < end) {
      agent_.Restart();
      const absl::Status status = host_->GetFacts().status();
      EXPECT_TRUE(status.ok()) << status;
      if (!status.ok()) return false;
    }
    return agent_.seen() == certificate;
  }

  const SelfSigned first_;
  const SelfSigned second_ = MakeSelfSigned();
  TlsAgent agent_{absl::StrCat(first_.certificate, second_.certificate)};
  const std::string certificate_, key_;
  const std::string ca_ = FileWith(agent_.certificate());
  std::shared_ptr<Host> host_;
};

TEST_F(RenewedCertificateTest, IsShownByNewConnectionsOnceItIsWhole) {
  ASSERT_TRUE(host_->GetFacts().ok());
  EXPECT_EQ(agent_.seen(), first_.certificate);
  Put(certificate_, second_.certificate);  // its key is not there yet
  for (int i = 0; i < 5; ++i) {
    agent_.Restart();
    ASSERT_TRUE(host_->GetFacts().ok());
    EXPECT_EQ(agent_.seen(), first_.certificate);
  }
  Put(key_, second_.key);
  EXPECT_TRUE(IsShown(second_.certificate));
}

TEST_F(RenewedCertificateTest, IsShownEachTimeItIsRenewed) {
  for (const SelfSigned* next : {&second_, &first_, &second_, &first_}) {
    Put(certificate_, next->certificate);
    Put(key_, next->key);
    EXPECT_TRUE(IsShown(next->certificate));
  }
}

class ShortCertificateTest : public RenewedCertificateTest {
 protected:
  ShortCertificateTest() : RenewedCertificateTest(/*valid_seconds=*/4) {}
};

TEST_F(ShortCertificateTest, ThatHasExpiredIsToldAndARenewedOneIsTakenAfterwards) {
  CallOptions once;
  once.retry = false;
  absl::Status refused;
  const BootTime end = BootTime::Now() + kRenewalDeadline;
  while (refused.message().find("has expired") == absl::string_view::npos &&
         BootTime::Now() < end) {
    agent_.Restart();
    refused = host_->GetFacts(once).status();
  }
  EXPECT_THAT(std::string(refused.message()),
              AllOf(HasSubstr("cannot be reached: "),
                    HasSubstr(absl::StrCat("the certificate of this program, ", certificate_,
                                           ", has expired: it was valid until ")),
                    HasSubstr("put a renewed certificate and its key there")));
  Put(certificate_, second_.certificate);
  Put(key_, second_.key);
  EXPECT_TRUE(IsShown(second_.certificate));
}

}  // namespace
}  // namespace shoal
