#include "agent/os/unix_listener.h"

#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/unit/os/scratch.h"

namespace shoal::agent {
namespace {

UniqueFd Connect(const std::string& path) {
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) fd.Reset();
  return fd;
}

class UnixListenerTest : public ::testing::Test {
 protected:
  void SetUp() override { loop_ = *EventLoop::Create(); }
  absl::StatusOr<std::unique_ptr<UnixListener>> Open(const std::string& path) {
    return UnixListener::Open(
        loop_.get(), path,
        [this](UniqueFd fd, uid_t uid, std::shared_ptr<const SocketPeer> peer) {
          accepted_.push_back(std::move(fd));
          uids_.push_back(uid);
          peers_.push_back(std::move(peer));
        },
        [this](const std::string& line) { lines_.push_back(line); });
  }

  ScratchDirectory scratch_;
  std::unique_ptr<EventLoop> loop_;
  std::vector<UniqueFd> accepted_;
  std::vector<uid_t> uids_;
  std::vector<std::shared_ptr<const SocketPeer>> peers_;
  std::vector<std::string> lines_;
};

TEST_F(UnixListenerTest, PeerIsAcceptedWithItsUidAndPid) {
  auto listener = Open(scratch_ / "run/shoald.sock");
  ASSERT_TRUE(listener.ok()) << listener.status();
  const UniqueFd client = Connect(scratch_ / "run/shoald.sock");
  ASSERT_TRUE(client);
  ASSERT_TRUE(RunUntil(loop_.get(), [this] { return !accepted_.empty(); }));
  EXPECT_EQ(uids_[0], geteuid());
  ASSERT_NE(peers_[0], nullptr);
  EXPECT_EQ(peers_[0]->pid, getpid());
  ASSERT_EQ(write(accepted_[0].get(), "x", 1), 1);
  char byte = 0;
  EXPECT_EQ(read(client.get(), &byte, 1), 1);
}

TEST_F(UnixListenerTest, AFewClientsAreAcceptedThoughNoDescriptorIsLeft) {
  auto listener = Open(scratch_ / "run/shoald.sock");
  ASSERT_TRUE(listener.ok()) << listener.status();
  std::vector<UniqueFd> clients;
  clients.reserve(12);
  for (int i = 0; i < 12; ++i) clients.push_back(Connect(scratch_ / "run/shoald.sock"));
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit tight = {.rlim_cur = 100, .rlim_max = limit.rlim_max};
  setrlimit(RLIMIT_NOFILE, &tight);
  std::vector<UniqueFd> hogs;
  for (int fd = 0; (fd = fcntl(0, F_DUPFD_CLOEXEC, 0)) >= 0;) hogs.emplace_back(fd);
  EXPECT_TRUE(RunUntil(loop_.get(), [this] { return !lines_.empty(); }));
  EXPECT_EQ(accepted_.size(), 8u);
  // What is closed goes to the clients that wait, then to the spares.
  hogs.clear();
  EXPECT_TRUE(RunUntil(loop_.get(), [this] { return accepted_.size() == 12; }));
  setrlimit(RLIMIT_NOFILE, &limit);
}

TEST_F(UnixListenerTest, ForeignUidIsClosedAndSaidOnce) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to be somebody else";
  const std::string path = scratch_ / "run/shoald.sock";
  auto listener = Open(path);
  ASSERT_TRUE(listener.ok()) << listener.status();
  std::vector<UniqueFd> clients(3);
  std::thread([&] {
    // This thread alone becomes uid 65534, with root's right to pass the directory.
    syscall(SYS_prctl, PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP);
    syscall(SYS_setresuid, 65534, 65534, 65534);
    for (UniqueFd& client : clients) client = Connect(path);
  }).join();
  ASSERT_TRUE(clients[2]);
  ASSERT_TRUE(RunUntil(loop_.get(), [&] {
    char byte;
    return std::all_of(clients.begin(), clients.end(), [&byte](const UniqueFd& client) {
      return recv(client.get(), &byte, 1, MSG_DONTWAIT) == 0;
    });
  }));
  EXPECT_TRUE(accepted_.empty());
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_TRUE(absl::StrContains(lines_[0], "of uid 65534")) << lines_[0];
}

TEST_F(UnixListenerTest, SecondAgentIsRefusedAndTheFirstServesOn) {
  const std::string path = scratch_ / "run/shoald.sock";
  auto first = Open(path);
  ASSERT_TRUE(first.ok()) << first.status();
  auto second = Open(path);
  EXPECT_TRUE(absl::IsFailedPrecondition(second.status()));
  EXPECT_EQ(second.status().message(),
            absl::StrCat("socket ", path, " is in use by PID ", getpid()));
  EXPECT_TRUE(Connect(path));
}

TEST_F(UnixListenerTest, SocketOfAnAgentThatIsGoneIsReplaced) {
  const std::string path = scratch_ / "run/shoald.sock";
  std::filesystem::create_directory(scratch_ / "run");
  chmod((scratch_ / "run").c_str(), 0700);
  {
    UniqueFd left(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(path.begin(), path.end(), address.sun_path);
    ASSERT_EQ(bind(left.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  EXPECT_FALSE(Connect(path));
  auto listener = Open(path);
  ASSERT_TRUE(listener.ok()) << listener.status();
  EXPECT_TRUE(Connect(path));
  listener->reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(UnixListenerTest, LongPathSaysHowLong) {
  const absl::Status status =
      Open(absl::StrCat("/", std::string(198, 'x'), "/shoal.sock")).status();
  EXPECT_TRUE(absl::IsInvalidArgument(status));
  EXPECT_TRUE(absl::StartsWith(status.message(), "socket path too long (210 > 107)")) << status;
}

TEST_F(UnixListenerTest, FileInItsPlaceIsLeftAlone) {
  std::filesystem::create_directory(scratch_ / "run");
  chmod((scratch_ / "run").c_str(), 0700);
  WriteFile(scratch_ / "run/shoald.sock", "precious");
  EXPECT_TRUE(absl::IsFailedPrecondition(Open(scratch_ / "run/shoald.sock").status()));
  EXPECT_EQ(ReadFile(scratch_ / "run/shoald.sock"), "precious");
}

}  // namespace
}  // namespace shoal::agent
