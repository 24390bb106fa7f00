// -H and the certificates: which hosts a command is about, and what is said of those that it cannot
// reach.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "tests/rpc/cli/agent_fixture.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class HostsOptionTest : public CommandTest {
 protected:
  HostsOptionTest() : ant_("ant") { ant_.Put(Running(kWeb, "web")); }

  void Configure(const std::string& text) {
    const std::string path = home_ + "/shoal.toml";
    std::ofstream(path) << text;
    setenv("SHOAL_CONFIG", path.c_str(), 1);
  }
  // With `text` on stdin.
  static Said ShoalReading(const std::string& text, const std::string& line) {
    std::istringstream input(text);
    std::streambuf* before = std::cin.rdbuf(input.rdbuf());
    Said said = Shoal(line);
    std::cin.rdbuf(before);
    return said;
  }
  void ExpectFound(const Said& said) const {
    EXPECT_EQ(said.status, 0) << said;
    EXPECT_THAT(said.out, HasSubstr("web   7KQ2MD  ant "));
    EXPECT_EQ(said.err, "");
  }

  FakeAgent ant_;
};

TEST_F(HostsOptionTest, StandsBeforeOrBehindTheCommandOrInTheEnvironment) {
  ExpectFound(Shoal(absl::StrCat("-H ", ant_.hosts(), " ps")));
  ExpectFound(Shoal(absl::StrCat("ps -H ", ant_.hosts())));
  ExpectFound(Shoal(absl::StrCat("--hosts ", ant_.hosts(), " ps web")));
  ExpectFound(Shoal(absl::StrCat("ps --hosts=", ant_.hosts())));
  setenv("SHOAL_HOSTS", ant_.hosts().c_str(), 1);
  ExpectFound(Shoal("ps"));
}

TEST_F(HostsOptionTest, ADashReadsThemFromStdin) {
  ExpectFound(ShoalReading(absl::StrCat("\n", ant_.hosts(), " \n"), "-H - ps"));
  EXPECT_EQ(ShoalReading(" \n", "-H - ps"),
            (Said{2, "", "shoal: -H -: there is no host on stdin.\n"}));
  ExpectFound(
      ShoalReading(absl::StrCat("# ours\n", ant_.hosts(), "# the first\n#unix:/b\n"), "-H - ps"));
  EXPECT_EQ(ShoalReading("# none, yet\n", "-H - ps").status, 2);
}

// As `shoal -H "$NODES" stop '*'` has it where NODES is not set: the default would be this machine.
TEST_F(HostsOptionTest, AnEmptyListIsNotTheDefault) {
  setenv("SHOAL_HOSTS", ant_.hosts().c_str(), 1);
  EXPECT_EQ(RunCommand({"-H", "", "stop", "*"}),
            (Said{2, "",
                  "shoal: --hosts: the value is empty; name hosts, such as node[1-16],gpu1:7420, "
                  "@group or unix:PATH. See `shoal stop --help`.\n"}));
  EXPECT_EQ(RunCommand({"stop", "*", "-H", ""}),
            (Said{2, "",
                  "shoal: --hosts: the value is empty; name hosts, such as node[1-16],gpu1:7420, "
                  "@group or unix:PATH. See `shoal stop --help`.\n"}));
  EXPECT_EQ(RunCommand({"--hosts=", "stop", "*"}),
            (Said{2, "",
                  "shoal: --hosts: the value is empty; name hosts, such as node[1-16],gpu1:7420, "
                  "@group or unix:PATH. See `shoal stop --help`.\n"}));
  EXPECT_EQ(RunCommand({"stop", "--hosts=", "web"}),
            (Said{2, "",
                  "shoal: --hosts: the value is empty; name hosts, such as node[1-16],gpu1:7420, "
                  "@group or unix:PATH. See `shoal stop --help`.\n"}));
  EXPECT_EQ(RunCommand({"run", "--hosts=", "-n", "1", "--", "exit:0"}).status, 2);
  EXPECT_EQ(RunCommand({"run", "-n", "1", "--", "exit:0", "--hosts="}).status, 0);
  EXPECT_EQ(RunCommand({"run", "-n", "1", "exit:0", "--hosts="}).status, 0);
  EXPECT_EQ(RunCommand({"-H", " ", "stop", "*"}),
            (Said{2, "", "shoal: hosts: the list is empty.\n"}));
  EXPECT_EQ(RunCommand({"--tls-cert", "", "ps"}),
            (Said{2, "",
                  "shoal: --tls-cert: the value is empty; name a file. See `shoal ps --help`.\n"}));
  EXPECT_EQ(ant_.Calls("Terminate"), 0);
}

TEST_F(HostsOptionTest, ASingleHostIsNamedByItsSocketToo) {
  setenv("SHOAL_HOSTS", ant_.hosts().c_str(), 1);
  ant_.Put(Exited(kDb, "db", 3));
  const std::string by_socket = absl::StrCat(ant_.hosts(), "/db");
  EXPECT_EQ(Shoal(absl::StrCat("ps -q ", by_socket)), (Said{0, absl::StrCat(kDb, "\n"), ""}));
  EXPECT_EQ(Shoal(absl::StrCat("wait ", by_socket)).out, "db  exit code 3 after 30 s\n");
  EXPECT_EQ(Shoal(absl::StrCat("logs ", by_socket)).status, 0);
  EXPECT_THAT(Shoal(absl::StrCat("ps ", ant_.hosts(), "x/db")).err,
              HasSubstr("; did you mean \"unix:"));
}

TEST_F(HostsOptionTest, OneThatIsNamedTwiceCountsOnceAndThatIsSaid) {
  const std::string twice = absl::StrCat(ant_.hosts(), ",", ant_.hosts());
  Said said = Shoal(absl::StrCat("-H ", twice, " run --per-host 1 -- exit:0"));
  EXPECT_EQ(said.status, 0);
  EXPECT_EQ(said.err,
            absl::StrCat("shoal: named more than once, and counted once: ", ant_.hosts(), ".\n"));
  EXPECT_EQ(ant_.Calls("SpawnBatch"), 1);
}

TEST_F(HostsOptionTest, TwoNamesOfOneAddressCountOnceAndThatIsSaid) {
  Configure("[hosts]\na = \"127.0.0.1:1\"\nb = \"127.0.0.1:1\"\n");
  Said said = Shoal("-H a,b ps");
  EXPECT_THAT(said.err,
              ::testing::StartsWith("shoal: b is the address of a, too, and counted once.\n"));
}

TEST_F(HostsOptionTest, TwoNamesOfOneAgentAreToldOnce) {
  const std::string link = home_ + "/other";
  std::filesystem::create_symlink(ant_.socket_path(), link);
  const std::string both = absl::StrCat("-H ", ant_.hosts(), ",unix:", link);
  const std::string told =
      absl::StrCat("shoal: ", ant_.hosts(), " and unix:", link, " are two names of one agent.\n");
  for (const char* command :
       {" ps", " hosts", " stop web", " start -- wait", " start --per-core -- wait",
        " run --per-core -- exit:0", " run --per-host 1 -- exit:0"}) {
    Said said = Shoal(both + command);
    EXPECT_EQ(said.status, 0) << command << said;
    const size_t at = said.err.find(told);
    EXPECT_NE(at, std::string::npos) << command << said;
    EXPECT_EQ(at, said.err.rfind(told)) << command << said;
  }
}

TEST_F(HostsOptionTest, NamesAndGroupsAreThoseOfTheConfiguration) {
  Configure(absl::StrCat("[hosts]\nbox = \"", ant_.hosts(), "\"\n[groups]\nstudio = \"box\"\n"));
  EXPECT_THAT(Shoal("-H box ps").out, HasSubstr("web   7KQ2MD  box "));
  EXPECT_THAT(Shoal("-H @studio ps").out, HasSubstr("web   7KQ2MD  box "));
  EXPECT_EQ(Shoal("-H @stage ps"),
            (Said{1, "", "shoal: there is no group \"@stage\"; known: @studio (~/shoal.toml).\n"}));
  EXPECT_EQ(
      Shoal("-H @studo ps"),
      (Said{1, "",
            "shoal: there is no group \"@studo\" in ~/shoal.toml; did you mean \"@studio\"?\n"}));
}

TEST_F(HostsOptionTest, ANameThatDoesNotResolveIsToldWithThoseThatAreKnown) {
  const std::string name(64, 'x');  // too long for a label: no server is asked
  EXPECT_EQ(Shoal(absl::StrCat("-H ", name, " ps")),
            (Said{69, "", absl::StrCat("shoal: host \"", name, "\" does not resolve.\n")}));
  Configure("[hosts]\nnode1 = \"10.0.0.1\"\nnode2 = \"\"\n");
  EXPECT_EQ(Shoal(absl::StrCat("-H ", name, " ps")),
            (Said{69, "",
                  absl::StrCat("shoal: host \"", name,
                               "\" does not resolve. Known: node1, node2 "
                               "(~/shoal.toml).\n")}));
}

TEST_F(HostsOptionTest, AConfigurationThatCannotBeReadIsAnError) {
  setenv("SHOAL_CONFIG", "/nowhere/shoal.toml", 1);
  EXPECT_EQ(Shoal("-H 127.0.0.1:1 ps"),
            (Said{1, "",
                  "shoal: cannot read the configuration /nowhere/shoal.toml: No such file or "
                  "directory.\n"}));
  Configure("[tls]\ncrt = \"x\"\n");
  EXPECT_EQ(Shoal("-H 127.0.0.1:1 ps"),
            (Said{2, "",
                  "shoal: ~/shoal.toml:2: there is no setting \"crt\" in [tls]; did you mean "
                  "\"cert\"?\n"}));
  Configure("[tls]\ncert = me.pem\n");
  EXPECT_THAT(Shoal("-H 127.0.0.1:1 ps").err, StartsWith("shoal: ~/shoal.toml:2: "));
  // Also where nothing of it is needed.
  EXPECT_THAT(Shoal("ps").err, StartsWith("shoal: ~/shoal.toml:2: "));
}

TEST_F(HostsOptionTest, HostsThatAreSetToNothingAreNotThisMachine) {
  setenv("SHOAL_HOSTS", "", 1);
  for (const char* line : {"ps", "hosts", "run -n 1 -- exit:0", "stop *"}) {
    const Said said = Shoal(line);
    EXPECT_THAT(said.err, HasSubstr("shoal: SHOAL_HOSTS is set and empty; unset it to mean this "
                                    "machine.\n"))
        << line;
    EXPECT_NE(said.status, 0);
  }
}

struct RefusedLine {
  const char* line;
  const char* complaint;  // without "shoal: " in front
};

TEST_F(HostsOptionTest, WhatIsNoListOfHostsIsRefused) {
  for (const RefusedLine& row : std::vector<RefusedLine>{
           {"-H node[3-1] ps", "hosts \"node[3-1]\": the range 3-1 goes down.\n"},
           {"-H a,,b ps", "hosts \"\": a host is missing between the commas.\n"},
           {"-H @ ps", "hosts \"@\": \"@\" wants the name of a group.\n"},
       }) {
    EXPECT_EQ(Shoal(row.line), (Said{2, "", std::string("shoal: ") + row.complaint})) << row.line;
  }
}

TEST_F(HostsOptionTest, AHostThatIsNotThereIsUnreachable) {
  EXPECT_EQ(Shoal("-H 127.0.0.1:1 ps"),
            (Said{69, "",
                  "shoal: host \"127.0.0.1:1\" cannot be reached: connection refused "
                  "(127.0.0.1:1).\n"}));
}

TEST_F(HostsOptionTest, CertificatesAreThreeFiles) {
  const std::string cert = home_ + "/cert.pem";
  EXPECT_EQ(Shoal(absl::StrCat("--tls-cert ", cert, " -H 127.0.0.1:1 ps")),
            (Said{2, "",
                  "shoal: TLS needs three files; missing: its private key (SHOAL_TLS_KEY), the "
                  "certificate authority (SHOAL_TLS_CA).\n"}));
  EXPECT_EQ(
      Shoal(absl::StrCat("--tls-key ", cert, " --tls-ca ", cert, " -H 127.0.0.1:1 ps")),
      (Said{2, "", "shoal: TLS needs three files; missing: the certificate (SHOAL_TLS_CERT).\n"}));
  Configure("[tls]\ncert = \"~/cert.pem\"\nkey = \"~/cert.pem\"\nca = \"~/cert.pem\"\n");
  EXPECT_THAT(Shoal("-H 127.0.0.1:1 ps").err, HasSubstr(absl::StrCat(cert, ": ")));
}

}  // namespace
}  // namespace shoal::testing
