// The harness itself: what the other tests rely upon.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "gtest/gtest-spi.h"
#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Harness : public SystemTest {};

TEST_F(Harness, ACommandsOutputAndExitAreCaught) {
  const CommandResult result =
      RunProgram({"/bin/sh", "-c", "echo out; echo err >&2; exit 7"}, UserOptions());
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(RunProgram({"/bin/sh", "-c", "kill -9 $$"}, UserOptions()).exit_code, 128 + SIGKILL);
}

TEST_F(Harness, HostsReachEachOtherUntilTheLinkIsCut) {
  TestNetwork network;
  if (!network.CanCut()) GTEST_SKIP() << "network namespaces cannot be made here";
  const int first = network.AddHost();
  const int second = network.AddHost();
  CommandOptions from_first = UserOptions();
  from_first.namespaces = network.Namespaces(first);
  const std::vector<std::string> connect = {"/usr/bin/python3", "-c",
                                            "import socket, sys\n"
                                            "s = socket.socket(); s.settimeout(0.3)\n"
                                            "print(s.connect_ex((sys.argv[1], 1)))",
                                            network.Address(second)};
  // Refused, so it is there. A link that was just made or mended takes a moment to forward.
  const auto reaches = [&] { return RunProgram(connect, from_first).out == "111\n"; };
  EXPECT_TRUE(WaitUntil("the first host reaches the second", reaches));
  network.Cut(second);
  EXPECT_FALSE(reaches());
  network.Mend(second);
  EXPECT_TRUE(WaitUntil("the link is back", reaches));
}

TEST_F(Harness, CertificatesAreSignedByTheirAuthority) {
  const CertificateAuthority authority(Scratch("config"), "ca");
  const Credential host = authority.ForHost("ant", "10.78.0.1");
  const CommandResult verified = RunProgram(
      {"/usr/bin/openssl", "verify", "-CAfile", authority.cert(), host.cert}, UserOptions());
  EXPECT_EQ(verified.exit_code, 0) << verified;
  const CommandResult text =
      RunProgram({"/usr/bin/openssl", "x509", "-in", host.cert, "-noout", "-text"}, UserOptions());
  EXPECT_THAT(text.out, HasSubstr("IP Address:10.78.0.1"));
}

TEST_F(Harness, AProcessLeftBehindIsEndedAndFailsTheTest) {
  // A daemon that has lost its parents, as the shims of a killed agent have.
  RunProgram({"/bin/sh", "-c", "setsid sleep 1000 > /dev/null 2>&1 &"}, UserOptions());
  Leftovers leftovers(Scratch(""), "");
  EXPECT_NONFATAL_FAILURE(leftovers.Check(), "left behind: process");
  EXPECT_THAT(ChildrenOf(getpid()), IsEmpty());
}

}  // namespace
}  // namespace shoal::testing
