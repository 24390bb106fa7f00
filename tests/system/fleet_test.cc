// Three hosts, each in a network namespace of its own, spoken to by mutual TLS.
#include <signal.h>

#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/support/system/fleet_over_tls.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(FleetOverTls, PerCoreGivesEverySlotOfEveryHostARank) {
  StartFleet(3);
  const CommandResult run =
      Shoal({"run", "--per-core", "--cwd", "/", "--", "sh", "-c",
             "echo $SHOAL_RANK/$SHOAL_WORLD_SIZE $SHOAL_LOCAL_RANK $SHOAL_HOST_RANK"});
  EXPECT_EQ(run.exit_code, 0) << run;
  const std::set<std::string> lines = absl::StrSplit(run.out, '\n', absl::SkipEmpty());
  EXPECT_EQ(lines,
            (std::set<std::string>{"0 node1 │ 0/6 0 0", "1 node1 │ 1/6 1 0", "2 node2 │ 2/6 0 1",
                                   "3 node2 │ 3/6 1 1", "4 node3 │ 4/6 0 2", "5 node3 │ 5/6 1 2"}))
      << run;
}

TEST_F(FleetOverTls, HostsAreListedAndAnUnreachableOneSaysWhy) {
  StartFleet(2);
  agents_[1].Stop();
  const CommandResult hosts = Shoal({"hosts"});
  EXPECT_THAT(hosts.out, HasSubstr("node1"));
  EXPECT_THAT(hosts.out, HasSubstr("refused")) << hosts;
}

TEST_F(FleetOverTls, ACutLinkLosesNothing) {
  if (!network_->CanCut()) GTEST_SKIP() << "network namespaces cannot be made here";
  StartFleet(3, 1);
  auto go = [this](int host) { return absl::StrCat(Scratch("node"), host + 1, "/go"); };
  for (int host = 0; host < 3; ++host) RunTool({"mkfifo", go(host)});
  auto run =
      StartShoal({"run", "--per-host", "1", "--cwd", "/", "--halt", "never", "--", "sh", "-c",
                  absl::StrCat("echo before; cat ", Scratch("node"),
                               "$((SHOAL_RANK + 1))/go; echo after $SHOAL_RANK; "
                               "exit $SHOAL_RANK")});
  for (const char* line : {"0 node1 │ before", "1 node2 │ before", "2 node3 │ before"}) {
    run->WaitForOutput(line);
  }
  network_->Cut(1);
  for (int host = 0; host < 3; ++host) RunTool({"sh", "-c", absl::StrCat(": > ", go(host))});
  run->WaitForOutput("0 node1 │ after 0");
  run->WaitForOutput("2 node3 │ after 2");
  // The process behind the cut link has ended there, unseen.
  agents_[1].stub().WaitAll(v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_TRUE(run->IsRunning());
  network_->Mend(1);
  const CommandResult result = run->Wait();
  EXPECT_THAT(result.out, HasSubstr("1 node2 │ after 1"));
  EXPECT_THAT(result.exit_code, ::testing::AnyOf(1, 2)) << result;
  EXPECT_THAT(result.err, HasSubstr("3 of 3 ended, 2 failed"));
}

TEST_F(FleetOverTls, AnIdentityThatIsNotAllowedIsDeniedByName) {
  StartFleet(1);
  BecomeClient(*authority_, "mallory", "spiffe://shoal.test/mallory");
  const CommandResult run = Shoal({"run", "-n", "1", "--", "true"});
  EXPECT_NE(run.exit_code, 0);
  EXPECT_THAT(run.err, IsOneReadableLine());
  EXPECT_THAT(run.err, HasSubstr("spiffe://shoal.test/mallory"));
  EXPECT_THAT(run.err, HasSubstr("may not"));
  EXPECT_THAT(agents_[0].stub().List(), IsEmpty());
}

TEST_F(FleetOverTls, AClientOfAForeignAuthorityIsNotServed) {
  StartFleet(1);
  CertificateAuthority foreign(Scratch("config"), "foreign");
  BecomeClient(foreign, "alice", kAlice);
  const CommandResult run = Shoal({"run", "-n", "1", "--", "true"});
  EXPECT_EQ(run.exit_code, 69) << run;
  EXPECT_THAT(run.err, IsOneReadableLine());
  EXPECT_THAT(agents_[0].stub().List(), IsEmpty());
}

TEST_F(FleetOverTls, AnAgentOfAForeignAuthorityIsNotSpokenTo) {
  StartFleet(1);
  CertificateAuthority foreign(Scratch("config"), "foreign");
  extra_env_["SHOAL_TLS_CA"] = foreign.cert();
  const CommandResult run = Shoal({"run", "-n", "1", "--", "true"});
  EXPECT_EQ(run.exit_code, 69) << run;
  EXPECT_THAT(run.err, IsOneReadableLine());
}

TEST_F(FleetOverTls, AClientWithoutACertificateSpeaksPlaintextToNobodyElse) {
  StartFleet(1);
  for (const char* name : {"SHOAL_TLS_CERT", "SHOAL_TLS_KEY", "SHOAL_TLS_CA"})
    extra_env_.erase(name);
  const CommandResult run = Shoal({"run", "-n", "1", "--", "true"});
  EXPECT_NE(run.exit_code, 0);
  EXPECT_THAT(run.err, IsOneReadableLine());
  EXPECT_THAT(run.err, HasSubstr("certificate"));
}

TEST_F(FleetOverTls, ARankThatCannotStartEndsTheRunOnEveryHost) {
  StartFleet(3);
  const CommandResult run = Shoal({"run", "--per-core", "--cwd", "/", "--", "/no/such/program"});
  EXPECT_EQ(run.exit_code, 127) << run;
  EXPECT_THAT(run.err, HasSubstr("No such file or directory"));
  for (AgentProcess& agent : agents_) {
    for (const v1::Process& process : agent.stub().List()) EXPECT_TRUE(process.tree_empty());
  }
}

TEST_F(FleetOverTls, AWorkingDirectoryThatAHostLacksIsNamedAndAnotherAskedFor) {
  StartFleet(1);
  const CommandResult run = Shoal({"run", "-n", "1", "--", "true"});
  EXPECT_EQ(run.exit_code, 125) << run;
  EXPECT_THAT(run.err, HasSubstr(absl::StrCat("cannot start true on node1: chdir ", Scratch("home"),
                                              ": No such file or directory. Is that directory on "
                                              "that host? `--cwd DIR` names another.\n")));
}

TEST_F(FleetOverTls, StopByHostAndNameTouchesNoOtherHost) {
  StartFleet(2);
  ASSERT_EQ(
      Shoal({"start", "--per-host", "1", "--name", "web", "--cwd", "/", "--", "sleep", "1000"})
          .exit_code,
      0);
  const CommandResult ps = Shoal({"ps", "-o", "json"});
  ASSERT_THAT(ParseProcesses(ps.out), SizeIs(2)) << ps;
  const std::string name = agents_[1].stub().List()[0].name();
  const CommandResult stop = Shoal({"stop", absl::StrCat("node2/", name)});
  EXPECT_EQ(stop.exit_code, 0) << stop;
  EXPECT_EQ(agents_[0].stub().List()[0].state(), v1::STATE_RUNNING);
  EXPECT_EQ(agents_[1].stub().List()[0].state(), v1::STATE_EXITED);
}

}  // namespace
}  // namespace shoal::testing
