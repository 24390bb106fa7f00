// Which identities --allow-identity admits: fault 173 of tests/README.md.
#include "agent/net/allowed_identities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

bool Allows(const std::vector<std::string>& patterns, const std::string& identity) {
  return AllowedIdentities::Parse(patterns).value().Allows(identity);
}

std::string Refusal(const std::string& pattern) {
  const auto allowed = AllowedIdentities::Parse({pattern});
  EXPECT_FALSE(allowed.ok()) << pattern;
  return std::string(allowed.status().message());
}

TEST(AllowedIdentities, NoneAllowNone) {
  EXPECT_FALSE(AllowedIdentities().Allows("spiffe://test/ops"));
  EXPECT_FALSE(Allows({}, ""));
}

TEST(AllowedIdentities, ASpiffeIdAllowsItselfAlone) {
  EXPECT_TRUE(Allows({"spiffe://test/ops"}, "spiffe://test/ops"));
  for (const char* other : {"spiffe://test/ops-evil", "spiffe://test/ops/a", "spiffe://test/op",
                            "spiffe://test.evil/ops", "dns:spiffe://test/ops", ""}) {
    EXPECT_FALSE(Allows({"spiffe://test/ops"}, other)) << other;
  }
}

TEST(AllowedIdentities, AStarStandsForWholeSegmentsBelow) {
  EXPECT_TRUE(Allows({"spiffe://test/ops/*"}, "spiffe://test/ops/a"));
  EXPECT_TRUE(Allows({"spiffe://test/ops/*"}, "spiffe://test/ops/a/b"));
  EXPECT_TRUE(Allows({"spiffe://test/*"}, "spiffe://test/ops"));
  for (const char* other : {"spiffe://test/ops", "spiffe://test/ops/", "spiffe://test/ops-evil/a",
                            "spiffe://test.evil/ops/a"}) {
    EXPECT_FALSE(Allows({"spiffe://test/ops/*"}, other)) << other;
  }
  EXPECT_FALSE(Allows({"spiffe://test/*"}, "spiffe://test.evil/ops"));
}

TEST(AllowedIdentities, ADnsNameIsOneOfItsKind) {
  EXPECT_TRUE(Allows({"CI.example.org"}, "dns:ci.example.org"));
  EXPECT_TRUE(Allows({"dns:ci.example.org"}, "dns:ci.example.org"));
  EXPECT_FALSE(Allows({"ci.example.org"}, "ci.example.org"));
  EXPECT_TRUE(Allows({"*.example.org"}, "dns:a.b.example.org"));
  for (const char* other :
       {"dns:example.org", "dns:.example.org", "dns:evilexample.org", "spiffe://x/.example.org"}) {
    EXPECT_FALSE(Allows({"*.example.org"}, other)) << other;
  }
}

TEST(AllowedIdentities, AStarAloneAllowsWhatever) {
  EXPECT_TRUE(Allows({"*"}, "spiffe://test/ops"));
  EXPECT_TRUE(Allows({"*"}, "dns:a"));
}

TEST(AllowedIdentities, PatternsThatSayLessThanTheySeemToAreRefused) {
  for (const char* pattern : {"spiffe://test/ops*", "spiffe://test/*/a", "spiffe://*"}) {
    EXPECT_THAT(Refusal(pattern), AllOf(HasSubstr(pattern), HasSubstr("no whole segment")));
  }
  for (const char* pattern : {"*ops.example.org", "a.*.org"}) {
    EXPECT_THAT(Refusal(pattern), HasSubstr("no whole label")) << pattern;
  }
  for (const char* pattern :
       {"spiffe://test", "spiffe://test/", "spiffe://Test/a", "spiffe://test//a",
        "spiffe://test/..", "spiffe://test/a b", "spiffe:///a"}) {
    EXPECT_THAT(Refusal(pattern), HasSubstr("is no SPIFFE id")) << pattern;
  }
  for (const char* pattern : {"Jane Doe", "uid:0", "", "https://test/ops", "a..b"}) {
    EXPECT_THAT(Refusal(pattern), HasSubstr("neither a SPIFFE id")) << pattern;
  }
}

TEST(AllowedIdentities, AnOverlongIdIsNone) {
  const std::string prefix = "spiffe://test/";
  EXPECT_TRUE(IsSpiffeId(prefix + std::string(2048 - prefix.size(), 'a')));
  EXPECT_FALSE(IsSpiffeId(prefix + std::string(2049 - prefix.size(), 'a')));
  EXPECT_FALSE(IsSpiffeId("spiffe://" + std::string(256, 'a') + "/a"));
  EXPECT_FALSE(IsSpiffeId(std::string("spiffe://test/a\0b", 17)));
  EXPECT_TRUE(IsDnsName(std::string(63, 'a')));
  EXPECT_FALSE(IsDnsName(std::string(64, 'a')));
}

}  // namespace
}  // namespace shoal::agent
