#include "client/cli/config.h"

#include "gtest/gtest.h"

namespace shoal::cli {
namespace {

constexpr char kText[] = R"(
# where things are
[hosts]
node1 = "10.0.0.1:7420"
node2 = ""

[groups]
studio = "node[1-2],gpu1"
both = ["node1", "node2"]

[tls]
cert = "/etc/shoal/me.pem"
key = "/etc/shoal/me.key"
ca = "/etc/shoal/ca.pem"
)";

TEST(Config, HasHostsGroupsAndCertificates) {
  absl::StatusOr<Config> config = ParseConfig(kText, "/c.toml");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->hosts.at("node1"), "10.0.0.1:7420");
  EXPECT_EQ(config->hosts.at("node2"), "");
  EXPECT_EQ(*config->Group("studio"), "node[1-2],gpu1");
  EXPECT_EQ(*config->Group("both"), "node1,node2");
  EXPECT_EQ(config->tls_cert, "/etc/shoal/me.pem");
  EXPECT_EQ(config->tls_key, "/etc/shoal/me.key");
  EXPECT_EQ(config->tls_ca, "/etc/shoal/ca.pem");
  EXPECT_EQ(config->KnownHosts(), "Known: node1, node2 (/c.toml)");
}

TEST(Config, AGroupThatIsNotThereNamesThoseThatAre) {
  absl::Status status = ParseConfig(kText, "/c.toml")->Group("gpus").status();
  EXPECT_EQ(status.message(), "there is no group \"@gpus\"; known: @both, @studio (/c.toml)");
  status = ParseConfig("", "/c.toml")->Group("x").status();
  EXPECT_EQ(status.message(), "there is no group \"@x\"; [groups] has none (/c.toml)");
}

TEST(Config, ASettingThatIsNotKnownIsNamed) {
  for (const char* text : {"[tls]\ncrt = \"x\"\n", "[nodes]\na = \"b\"\n", "host = \"a\"\n"}) {
    absl::StatusOr<Config> config = ParseConfig(text, "/c.toml");
    ASSERT_FALSE(config.ok()) << text;
    EXPECT_NE(config.status().message().find("/c.toml: there is no setting"), std::string::npos)
        << config.status();
  }
}

TEST(Config, AnEmptyFileIsAConfiguration) {
  EXPECT_TRUE(ParseConfig("", "/c.toml").ok());
  EXPECT_TRUE(ParseConfig("[hosts]\n", "/c.toml").ok());
}

}  // namespace
}  // namespace shoal::cli
