// Bad inputs: one line that helps, the right exit status, and nothing started.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BadInput : public SystemTest {
 protected:
  // Fails with one line that has all of `words`; nothing is left on the agents.
  void ExpectRefused(std::vector<std::string> arguments, const std::vector<std::string>& words,
                     std::optional<int> exit_code = {}) {
    const CommandResult result = Shoal(std::move(arguments));
    EXPECT_NE(result.exit_code, 0) << result;
    if (exit_code.has_value()) EXPECT_EQ(result.exit_code, *exit_code) << result;
    EXPECT_THAT(result.out, IsEmpty());
    EXPECT_THAT(result.err, IsOneReadableLine());
    for (const std::string& word : words) EXPECT_THAT(result.err, HasSubstr(word));
    for (AgentProcess& agent : agents_) {
      if (!agent.IsRunning()) continue;
      for (const v1::Process& process : agent.stub().List()) {
        EXPECT_EQ(process.state(), v1::STATE_FAILED_TO_START);
      }
    }
  }
};

TEST_F(BadInput, AMissingProgram) {
  StartAgent("ant");
  ExpectRefused({"run", "-n", "1", "--", "/no/such/program"},
                {"/no/such/program", "ant", "No such file or directory"});
  ExpectRefused({"start", "--", "no-such-program"},
                {"no-such-program", "No such file or directory"});
}

TEST_F(BadInput, ADirectory) {
  StartAgent("ant");
  ExpectRefused({"run", "-n", "1", "--", "/tmp"}, {"/tmp", "Permission denied"});
}

TEST_F(BadInput, AFileThatIsNotExecutable) {
  StartAgent("ant");
  WriteFile(Scratch("plain"), "just text\n", 0600);
  ExpectRefused({"run", "-n", "1", "--", Scratch("plain")}, {"plain", "Permission denied"});
}

TEST_F(BadInput, ATextWithoutInterpreterIsNotGivenToAShell) {
  StartAgent("ant");
  WriteFile(Scratch("text"), "echo this must not run\n", 0755);
  ExpectRefused({"run", "-n", "1", "--", Scratch("text")}, {"text", "Exec format error"});
}

TEST_F(BadInput, AScriptWhoseInterpreterIsMissing) {
  StartAgent("ant");
  WriteFile(Scratch("script"), "#!/no/such/interpreter\n", 0755);
  ExpectRefused({"run", "-n", "1", "--", Scratch("script")},
                {"interpreter", "/no/such/interpreter", "No such file or directory"});
}

TEST_F(BadInput, AMissingWorkingDirectory) {
  StartAgent("ant");
  ExpectRefused({"run", "-n", "1", "--cwd", "/no/such/directory", "--", "true"},
                {"/no/such/directory", "No such file or directory"});
}

TEST_F(BadInput, ANameThatIsNone) {
  StartAgent("ant");
  for (const char* name : {"../../etc", "a/b", ".hidden", "with space"}) {
    ExpectRefused({"start", "--name", name, "--", "true"}, {"name", "[A-Za-z0-9._-]"});
  }
}

TEST_F(BadInput, ATerminalsEscapesDoNotReachTheTerminal) {
  StartAgent("ant");
  ExpectRefused({"run", "-n", "1", "--", "/no/such\x1b[31m\nprogram"}, {"\\x1b", "\\n"});
}

TEST_F(BadInput, AnArgumentOfTheGreatestLengthIsPassed) {
  StartAgent("ant");
  const CommandResult result = Shoal({"run", "-n", "1", "--", "true", std::string(131'071, 'x')});
  EXPECT_EQ(result.exit_code, 0) << result.err;
}

TEST_F(BadInput, AnEnvironmentAboveAMebibyteIsNamedWithItsSizeAndTheLimit) {
  StartAgent("ant");
  std::vector<std::string> words = {"run", "-n", "1"};
  for (int i = 0; i < 10; ++i) {
    words.insert(words.end(), {"--env", absl::StrCat("K", i, "=", std::string(120'000, 'x'))});
  }
  words.insert(words.end(), {"--", "true"});
  ExpectRefused(words, {"specs[0].env has 1200", " bytes and the request ", ", limit 1048576"}, 2);
}

TEST_F(BadInput, AnUnknownHost) {
  hosts_ = "no-such-host.invalid";
  ExpectRefused({"ps"}, {"no-such-host.invalid", "does not resolve"}, 69);
  ExpectRefused({"run", "--", "true"}, {"no-such-host.invalid", "does not resolve"}, 69);
}

TEST_F(BadInput, AClosedPort) {
  TestNetwork network;
  network.AddHost();
  hosts_ = "127.0.0.1:1";
  ExpectRefused({"ps"}, {"127.0.0.1:1", "refused"}, 69);
}

TEST_F(BadInput, ASocketThatIsNotThere) {
  hosts_ = "unix:" + Scratch("nobody.sock");
  ExpectRefused({"ps"}, {"nobody.sock"}, 69);
}

TEST_F(BadInput, ASelectorThatMatchesNothing) {
  StartAgent("ant");
  for (const char* verb : {"stop", "inspect", "why", "logs", "wait", "rm"}) {
    ExpectRefused({verb, "nobody"}, {"nobody"});
  }
}

TEST_F(BadInput, WrongUsageIsExitStatusTwo) {
  StartAgent("ant");
  ExpectRefused({"run"}, {"shoal"}, 2);
  ExpectRefused({"frobnicate"}, {"frobnicate"}, 2);
  ExpectRefused({"run", "-n", "-3", "--", "true"}, {"-n"}, 2);
  ExpectRefused({"run", "--halt", "sometimes", "--", "true"}, {"sometimes"}, 2);
  ExpectRefused({"signal", "NOSUCH", "x"}, {"NOSUCH"}, 2);
}

class TwoAgents : public SystemTest {
 protected:
  // `shoald` with the given directories refuses to start, in one line that has `words`.
  void ExpectRefused(AgentProcess& agent, const std::vector<std::string>& words) {
    const CommandResult result = agent.StartRefused();
    EXPECT_NE(result.exit_code, 0);
    for (const std::string& word : words) EXPECT_THAT(result.err, HasSubstr(word));
  }
};

TEST_F(TwoAgents, OnOneStateDirectory) {
  AgentProcess& first = StartAgent("ant");
  AgentProcess& second = AddAgent("bee");
  CommandOptions command;
  command.env = second.Environment();
  const CommandResult result =
      RunProgram({ShoaldPath(), "--state-dir", first.state_dir(), "--run-dir", second.run_dir(),
                  "--socket", second.socket()},
                 command);
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("in use by PID"));
  EXPECT_THAT(result.err, HasSubstr(absl::StrCat(first.pid())));
  EXPECT_EQ(Shoal({"-H", first.target(), "ps"}).exit_code, 0);
}

TEST_F(TwoAgents, OnOneSocket) {
  AgentProcess& first = StartAgent("ant");
  AgentProcess& second = AddAgent("bee");
  CommandOptions command;
  command.env = second.Environment();
  const CommandResult result =
      RunProgram({ShoaldPath(), "--state-dir", second.state_dir(), "--run-dir", second.run_dir(),
                  "--socket", first.socket()},
                 command);
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr(first.socket()));
  // The first one has not lost its socket.
  EXPECT_EQ(Shoal({"-H", first.target(), "ps"}).exit_code, 0);
}

TEST_F(TwoAgents, OnOnePort) {
  TestNetwork network;
  const int host = network.AddHost();
  const CertificateAuthority authority(Scratch("config"), "ca");
  const Credential own = authority.ForHost("both", "127.0.0.1");
  const std::vector<std::string> flags = {
      "--listen", "127.0.0.1:7420", "--tls-cert",     own.cert,           "--tls-key",
      own.key,    "--tls-ca",       authority.cert(), "--allow-identity", "spiffe://shoal.test/a"};
  AgentProcess& first = AddAgent("ant", flags);
  AgentProcess& second = AddAgent("bee", flags);
  first.options().namespaces = second.options().namespaces = network.Namespaces(host);
  ASSERT_TRUE(first.Start());
  ExpectRefused(second, {"127.0.0.1:7420", "Address already in use"});
}

TEST_F(TwoAgents, ASocketPathThatIsTooLongIsSaidSo) {
  AgentProcess& agent = AddAgent("ant");
  const std::string path = Scratch(std::string(120, 's'));
  CommandOptions command;
  command.env = agent.Environment();
  const CommandResult result = RunProgram({ShoaldPath(), "--state-dir", agent.state_dir(),
                                           "--run-dir", agent.run_dir(), "--socket", path},
                                          command);
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("too long"));
  EXPECT_THAT(result.err, HasSubstr("107"));
}

TEST_F(TwoAgents, PlaintextNeedsItsFlagAndIsRefusedForRoot) {
  AgentProcess& without_flag = AddAgent("bee", {"--listen", "127.0.0.1:7420"});
  ExpectRefused(without_flag, {"--insecure-loopback"});
  if (geteuid() != 0) GTEST_SKIP() << "needs root to be refused";
  AgentProcess& agent = AddAgent("ant", {"--listen", "127.0.0.1:0", "--insecure-loopback"});
  ExpectRefused(agent, {"--insecure-loopback is refused for root: every local user could run"});
  EXPECT_EQ(agent.StartRefused().exit_code, 2);
}

TEST_F(TwoAgents, AnIdentityThatNoCallerCanHaveIsRefused) {
  AgentProcess& agent = AddAgent("ant", {"--allow-identity", "spiffe://shoal.test/ops*"});
  ExpectRefused(agent, {"'spiffe://shoal.test/ops*'", "no whole segment at the end"});
  EXPECT_EQ(agent.StartRefused().exit_code, 2);
}

}  // namespace
}  // namespace shoal::testing
