// Hosts by name, where DNS is dead: its server takes questions and answers none.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/unique_fd.h"
#include "tests/support/system/fleet_over_tls.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;

constexpr char kServer[] = "127.78.255.254";

class Names : public FleetOverTls {
 protected:
  void SetUp() override {
    FleetOverTls::SetUp();
    if (geteuid() != 0) GTEST_SKIP() << "a mount namespace wants root";
    StartFleet(1);
    server_ = UniqueFd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(53);
    inet_pton(AF_INET, kServer, &address.sin_addr);
    const int bound =
        bind(server_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
    if (bound != 0) GTEST_SKIP() << "the place of a DNS server is taken";
    const std::string at = hosts_.substr(0, hosts_.find(':'));
    Write("hosts", absl::StrCat("127.0.0.1 localhost\n", at, " node1\n"));
    // Who waits for an answer waits longer than a test.
    Write("resolv.conf", absl::StrCat("nameserver ", kServer, "\noptions timeout:30 attempts:5\n"));
  }

  CommandResult ShoalThere(const std::vector<std::string>& words) {
    const char* script =
        "mount --bind \"$0\" /etc/hosts && mount --bind \"$1\" /etc/resolv.conf && shift && exec "
        "\"$@\"";
    std::vector<std::string> argv = {
        "/usr/bin/unshare", "-m", "/bin/sh", "-c", script, Scratch("hosts"), Scratch("resolv.conf"),
        BinaryPath("shoal")};
    argv.insert(argv.end(), words.begin(), words.end());
    return RunProgram(std::move(argv), UserOptions());
  }

 private:
  void Write(const std::string& name, const std::string& text) {
    std::ofstream(Scratch(name)) << text;
  }

  UniqueFd server_;
};

TEST_F(Names, OfEtcHostsNeedNoDnsAndAreWhatCertificatesAreCheckedAgainst) {
  CommandResult run =
      ShoalThere({"-H", "node1", "run", "-n", "1", "--no-tag", "--cwd", "/", "--", "echo", "hi"});
  EXPECT_EQ(run.exit_code, 0) << run;
  EXPECT_EQ(run.out, "hi\n");
}

TEST_F(Names, ThatDoNotResolveAreToldAsSuchAndKeepNobody) {
  CommandResult run = ShoalThere({"-H", "ghost", "ps"});
  EXPECT_EQ(run.exit_code, 69) << run;
  EXPECT_THAT(run.err, HasSubstr("host \"ghost\" cannot be reached: the name was not resolved "
                                 "in time"));
}

}  // namespace
}  // namespace shoal::testing
