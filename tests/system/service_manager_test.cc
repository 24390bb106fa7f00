// The agent as a service manager sees it: what it says on $NOTIFY_SOCKET (sd_notify(3)), and what
// it does not hand on to its processes.
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "tests/support/system/system_test.h"

namespace shoal::testing {
namespace {

using ::testing::HasSubstr;

constexpr int kDeadlineMs = 30'000;

// Plays systemd's end of the socket.
class ServiceManager : public SystemTest {
 protected:
  void SetUp() override {
    SystemTest::SetUp();
    path_ = Scratch("notify");
    socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    ASSERT_LT(path_.size(), sizeof(address.sun_path));
    std::memcpy(address.sun_path, path_.c_str(), path_.size());
    ASSERT_EQ(bind(socket_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  void TearDown() override {
    close(socket_);
    SystemTest::TearDown();
  }

  // The next message, or nothing at the deadline.
  std::string Hear() const {
    pollfd ready = {socket_, POLLIN, 0};
    if (poll(&ready, 1, kDeadlineMs) != 1) return "";
    char message[4096];
    const ssize_t size = recv(socket_, message, sizeof(message), 0);
    return size < 0 ? "" : std::string(message, static_cast<size_t>(size));
  }

  std::string path_;
  int socket_ = -1;
};

TEST_F(ServiceManager, HearsThatTheAgentIsReadyAndThatItStops) {
  AgentProcess& agent = AddAgent("ant");
  agent.options().env = {{"NOTIFY_SOCKET", path_}};
  ASSERT_TRUE(agent.Start());
  EXPECT_THAT(Hear(), HasSubstr("READY=1"));

  ASSERT_EQ(Shoal({"start", "--name", "web", "--", "sleep", "1000"}).exit_code, 0);
  agent.Signal(SIGTERM);
  EXPECT_THAT(Hear(), HasSubstr("STOPPING=1"));
  EXPECT_EQ(agent.WaitForEnd().exit_code, 0);

  // What systemctl restart does: the process goes on and is found again.
  ASSERT_TRUE(agent.Start());
  EXPECT_THAT(Hear(), HasSubstr("READY=1"));
  EXPECT_THAT(Shoal({"ps"}).out, HasSubstr("running"));
}

TEST_F(ServiceManager, ProcessesCannotSpeakForTheAgent) {
  AgentProcess& agent = AddAgent("ant");
  agent.options().env = {{"NOTIFY_SOCKET", path_}, {"LISTEN_FDS", "1"}, {"WATCHDOG_USEC", "1"}};
  ASSERT_TRUE(agent.Start());
  ASSERT_EQ(Shoal({"start", "--name", "lister", "--", "env"}).exit_code, 0);
  ASSERT_EQ(Shoal({"wait", "lister"}).exit_code, 0);
  const std::string listed = Shoal({"logs", "lister"}).out;
  EXPECT_THAT(listed, HasSubstr("SHOAL_NAME=lister"));
  for (const char* name : {"NOTIFY_SOCKET", "LISTEN_FDS", "WATCHDOG_USEC"}) {
    EXPECT_THAT(listed, ::testing::Not(HasSubstr(name)));
  }
}

}  // namespace
}  // namespace shoal::testing
