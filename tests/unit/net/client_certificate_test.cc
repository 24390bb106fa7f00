// Whose a certificate is: fault 173 of tests/README.md.
#include "agent/net/client_certificate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/support/self_signed.h"

namespace shoal::agent {
namespace {

using ::shoal::testing::MakeSelfSigned;
using ::testing::HasSubstr;

std::string RefusalOfNames(const std::string& names) {
  const auto read = ReadClientCertificate(MakeSelfSigned({.names = names}).certificate);
  EXPECT_EQ(read.status().code(), absl::StatusCode::kPermissionDenied) << names;
  return std::string(read.status().message());
}

TEST(ClientCertificate, ItsOneSpiffeIdIsItsIdentity) {
  const auto read = ReadClientCertificate(
      MakeSelfSigned({.names = "URI:spiffe://test/ops,DNS:other.test"}).certificate);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->kind, CallerKind::kSpiffe);
  EXPECT_EQ(read->identity, "spiffe://test/ops");
  EXPECT_EQ(read->evidence, Evidence::kCertificateUri);
  EXPECT_GT(read->time_left, absl::Minutes(50));
  EXPECT_LE(read->time_left, absl::Hours(1));
  EXPECT_EQ(read->chain.size(), 1u);
}

TEST(ClientCertificate, WithoutAUriItIsItsOneDnsName) {
  const auto read = ReadClientCertificate(MakeSelfSigned({.names = "DNS:CI.test"}).certificate);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->kind, CallerKind::kDnsName);
  EXPECT_EQ(read->identity, "dns:ci.test");
}

TEST(ClientCertificate, AnythingElseIsNoIdentity) {
  EXPECT_THAT(RefusalOfNames(""), HasSubstr("neither a URI nor a DNS name"));
  EXPECT_THAT(RefusalOfNames("email:a@b.test"), HasSubstr("neither a URI nor a DNS name"));
  EXPECT_THAT(RefusalOfNames("URI:spiffe://a/b,URI:spiffe://a/c"), HasSubstr("has 2 URIs"));
  EXPECT_THAT(RefusalOfNames("DNS:a.test,DNS:b.test"), HasSubstr("has 2 DNS names"));
  EXPECT_THAT(RefusalOfNames("URI:https://a/b"), HasSubstr("'https://a/b', which is no SPIFFE id"));
  EXPECT_THAT(RefusalOfNames("URI:https://a/b,DNS:a.test"), HasSubstr("no SPIFFE id"));
  EXPECT_THAT(RefusalOfNames("URI:spiffe://a/" + std::string(2100, 'b')),
              HasSubstr("has a URI of 2111 bytes, 'spiffe://a/bbb"));
  EXPECT_THAT(RefusalOfNames("DNS:uid\\:0"), HasSubstr("which is none"));
  EXPECT_THAT(RefusalOfNames("DNS:*.test"), HasSubstr("which is none"));
  EXPECT_THAT(std::string(ReadClientCertificate("").status().message()),
              HasSubstr("cannot be read"));
}

TEST(ClientCertificate, AnExpiredOneIsRefused) {
  const auto read = ReadClientCertificate(
      MakeSelfSigned({.begin = -100, .end = -10, .names = "DNS:a.test"}).certificate);
  EXPECT_THAT(std::string(read.status().message()), HasSubstr("has expired"));
}

TEST(ClientCertificate, TheChainShortensItsTime) {
  const auto read =
      ReadClientCertificate(MakeSelfSigned({.end = 3600, .names = "DNS:a.test"}).certificate +
                            MakeSelfSigned({.end = 600}).certificate);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->chain.size(), 2u);
  EXPECT_LE(read->time_left, absl::Minutes(10));
}

}  // namespace
}  // namespace shoal::agent
