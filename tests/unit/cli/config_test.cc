#include "client/cli/config.h"

#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
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
  const std::vector<std::pair<const char*, const char*>> rows = {
      {"[tls]\ncrt = \"x\"\n", "\"crt\" in [tls]"},
      {"[nodes]\na = \"b\"\n", "\"a\" in [nodes]"},
      {"[tls.cert]\na = \"b\"\n", "\"a\" in [tls.cert]"},
      {"host = \"a\"\n", "\"host\" in the top level"}};
  for (const auto& [text, what] : rows) {
    EXPECT_EQ(ParseConfig(text, "/c.toml").status(),
              absl::InvalidArgumentError(
                  absl::StrCat("/c.toml: there is no setting ", what,
                               "; known are [hosts], [groups] and [tls] with cert, key, ca")));
  }
}

TEST(Config, TildeIsTheHomeDirectoryBothWays) {
  setenv("HOME", "/home/ada", 1);
  EXPECT_EQ(ParseConfig("[tls]\ncert = \"~/me.pem\"\n", "/c.toml")->tls_cert, "/home/ada/me.pem");
  EXPECT_EQ(WithTilde("/home/ada/c.toml"), "~/c.toml");
  EXPECT_EQ(WithTilde("/home/adam/c.toml"), "/home/adam/c.toml");
}

TEST(Config, IsWhereItIsNamedElseInTheConfigurationDirectory) {
  setenv("HOME", "/home/ada", 1);
  unsetenv("XDG_CONFIG_HOME");
  unsetenv("SHOAL_CONFIG");
  EXPECT_EQ(ConfigPath(), "/home/ada/.config/shoal/config.toml");
  EXPECT_EQ(LoadConfig()->path, ConfigPath()) << "it does not have to be there";
  setenv("SHOAL_CONFIG", "/nowhere/c.toml", 1);
  EXPECT_EQ(ConfigPath(), "/nowhere/c.toml");
  EXPECT_EQ(LoadConfig().status().message(),
            "cannot read the configuration /nowhere/c.toml: No such file or directory");
  unsetenv("SHOAL_CONFIG");
}

TEST(Config, AnEmptyFileIsAConfiguration) {
  EXPECT_TRUE(ParseConfig("", "/c.toml").ok());
  EXPECT_TRUE(ParseConfig("[hosts]\n", "/c.toml").ok());
}

}  // namespace
}  // namespace shoal::cli
