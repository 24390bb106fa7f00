#include "client/cli/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
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

absl::StatusOr<Config> Parsed(absl::string_view text) {
  absl::StatusOr<TomlFile> file = ParseToml(text, "/c.toml");
  if (!file.ok()) return file.status();
  return MakeConfig(*file);
}

TEST(Config, HasHostsGroupsAndCertificates) {
  absl::StatusOr<Config> config = Parsed(kText);
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
  absl::Status status = Parsed(kText)->Group("gpus").status();
  EXPECT_EQ(status.message(), "there is no group \"@gpus\"; known: @both, @studio (/c.toml)");
  status = Parsed("")->Group("x").status();
  EXPECT_EQ(status.message(), "there is no group \"@x\"; [groups] has none (/c.toml)");
}

struct RefusedText {
  const char* text;
  const char* why;
};

TEST(Config, WhatIsNotKnownOrNotMeantIsRefusedWithItsLine) {
  for (const RefusedText& row : std::vector<RefusedText>{
           {"[tls]\n\ncrt = \"x\"\n",
            "3: there is no setting \"crt\" in [tls]; did you mean \"cert\"?"},
           {"[tls]\nmode = \"x\"\n",
            "2: there is no setting \"mode\" in [tls]; known: cert, key, ca"},
           {"[tls]\ncert = 1\n", "2: cert is to be the path of a PEM file in quotes"},
           {"[nodes]\na = \"b\"\n",
            "1: there is no section [nodes]; known: [hosts], [groups], [tls]"},
           {"[group]\n", "1: there is no section [group]; did you mean \"groups\"?"},
           {"[tls.cert]\na = \"b\"\n",
            "1: there is no section [tls.cert]; known: [hosts], [groups], [tls]"},
           {"host = \"a\"\n", "1: \"host\" stands in no section; known: [hosts], [groups], [tls]"},
           {"[hosts]\nnode1.lan = \"10.0.0.1\"\n",
            "2: a name with a dot stands in quotes in [hosts], as \"node1.…\""},
           {"[hosts]\nnode1 = 10\n", "2: node1 is to be an address in quotes: \"10.0.0.1:7420\""},
           {"[hosts]\nnode1 = [\"a\"]\n",
            "2: node1 is to be an address in quotes: \"10.0.0.1:7420\""},
           {"[hosts]\nboth = \"a,b\"\n", "2: both = \"a,b\" is not one address"},
           {"[hosts]\nx = \"n[\"\n",
            "2: x = \"n[\" is not one address: hosts \"n[\": \"[\" without \"]\""},
           {"[groups]\ng = [1]\n",
            "2: g is to be hosts in quotes: \"node[1-3],gpu1\", or a list of such"},
           {"[groups]\ng = \"node[3-1]\"\n", "2: @g: hosts \"node[3-1]\": the range 3-1 goes down"},
           {"[groups]\nstudio = \"a\"\nall = \"@studo\"\n",
            "3: @all: there is no group \"@studo\" in /c.toml; did you mean \"@studio\"?"}}) {
    EXPECT_EQ(Parsed(row.text).status(),
              absl::InvalidArgumentError(absl::StrCat("/c.toml:", row.why)));
  }
}

TEST(Config, WhatIsNoTomlIsRefusedWithItsLine) {
  for (const char* text : {"[hosts]\nnode1 = 10.0.0.1\n", "[hosts]\nnode1 = \"a\" \"b\"\n",
                           "[hosts\n", "[tls]\ncert\n", "[tls]\ncert = \"a\"\ncert = \"b\"\n"}) {
    const absl::Status status = Parsed(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_TRUE(absl::StartsWith(status.message(), "/c.toml:")) << status;
  }
}

TEST(Config, TildeIsTheHomeDirectoryBothWays) {
  setenv("HOME", "/home/ada", 1);
  EXPECT_EQ(Parsed("[tls]\ncert = \"~/me.pem\"\n")->tls_cert, "/home/ada/me.pem");
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

// Else its hosts are not known, and commands go to this machine.
TEST(Config, OneThatMayNotBeReadIsRefused) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can be another user";
  std::string home = "/tmp/shoal-config-XXXXXX";
  ASSERT_NE(mkdtemp(home.data()), nullptr);
  ASSERT_EQ(chmod(home.c_str(), 0755), 0);
  setenv("XDG_CONFIG_HOME", home.c_str(), 1);
  unsetenv("SHOAL_CONFIG");
  std::filesystem::create_directory(home + "/shoal");
  std::ofstream(home + "/shoal/config.toml") << "[hosts]\n";
  ASSERT_EQ(chmod((home + "/shoal/config.toml").c_str(), 0600), 0);
  ASSERT_EQ(seteuid(65534), 0);
  const absl::Status unreadable = LoadConfig().status();
  ASSERT_EQ(seteuid(0), 0);
  EXPECT_EQ(unreadable.message(), absl::StrCat("cannot read the configuration ", home,
                                               "/shoal/config.toml: Permission denied"));
  ASSERT_EQ(chmod((home + "/shoal").c_str(), 0700), 0);
  ASSERT_EQ(seteuid(65534), 0);
  EXPECT_TRUE(LoadConfig().ok()) << "a directory of another user";
  ASSERT_EQ(seteuid(0), 0);
  std::filesystem::remove_all(home);
  unsetenv("XDG_CONFIG_HOME");
}

TEST(Config, AnEmptyFileIsAConfiguration) {
  EXPECT_TRUE(Parsed("").ok());
  EXPECT_TRUE(Parsed("[hosts]\n").ok());
}

}  // namespace
}  // namespace shoal::cli
