// Whom a client believes to be its own agent.
#include "common/socket_trust.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

using ::testing::HasSubstr;

constexpr uid_t kStranger = 4711;

class SocketTrust : public ::testing::Test {
 protected:
  SocketTrust() {
    EXPECT_NE(mkdtemp(directory_.data()), nullptr);
    EXPECT_EQ(mkdir(inner_().c_str(), 0700), 0);
  }
  ~SocketTrust() override {
    unlink((directory_ + "/link").c_str());
    rmdir(inner_().c_str());
    rmdir(directory_.c_str());
  }
  std::string inner_() const { return directory_ + "/shoal"; }
  std::string socket() const { return inner_() + "/shoald.sock"; }

  std::string directory_ = "/tmp/socket-trust-XXXXXX";
};

TEST_F(SocketTrust, ADirectoryOfOursThatOthersCannotWriteToIsTrusted) {
  EXPECT_TRUE(CheckSocketDirectory(socket()).ok());
  ASSERT_EQ(chmod(inner_().c_str(), 0755), 0);
  EXPECT_TRUE(CheckSocketDirectory(socket()).ok());
  EXPECT_TRUE(absl::IsUnavailable(CheckSocketDirectory(directory_ + "/none/shoald.sock")));
}

TEST_F(SocketTrust, OneThatOthersMayWriteToIsNot) {
  ASSERT_EQ(chmod(inner_().c_str(), 0777), 0);
  EXPECT_EQ(CheckSocketDirectory(socket()).message(),
            absl::StrCat("the agent's socket ", socket(),
                         " is not trusted, and nothing was sent: others may write into its "
                         "directory ",
                         inner_(),
                         " (mode 0777); remove it, or name a socket with -H unix:PATH or "
                         "SHOAL_HOSTS"));
}

TEST_F(SocketTrust, NeitherIsThatOfAnotherUserNorALinkOfHis) {
  if (geteuid() != 0) GTEST_SKIP() << "wants root";
  ASSERT_EQ(symlink(inner_().c_str(), (directory_ + "/link").c_str()), 0);
  EXPECT_TRUE(CheckSocketDirectory(directory_ + "/link/shoald.sock").ok());
  ASSERT_EQ(lchown((directory_ + "/link").c_str(), kStranger, kStranger), 0);
  EXPECT_THAT(CheckSocketDirectory(directory_ + "/link/shoald.sock").message(),
              HasSubstr("belongs to uid 4711"));
  ASSERT_EQ(chown(inner_().c_str(), kStranger, kStranger), 0);
  EXPECT_THAT(CheckSocketDirectory(socket()).message(),
              HasSubstr(absl::StrCat("its directory ", inner_(), " belongs to uid 4711")));
}

TEST_F(SocketTrust, APeerIsOurselvesOrRoot) {
  int ends[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  EXPECT_TRUE(CheckSocketPeer(ends[0], socket()).ok());
  if (geteuid() == 0) {
    ASSERT_EQ(seteuid(kStranger), 0);
    EXPECT_TRUE(CheckSocketPeer(ends[0], socket()).ok()) << "root's";
    int others[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, others), 0);
    ASSERT_EQ(seteuid(0), 0);
    ASSERT_EQ(seteuid(kStranger + 1), 0);
    EXPECT_THAT(CheckSocketPeer(others[0], socket()).message(),
                HasSubstr("of uid 4711 listens there"));
    ASSERT_EQ(seteuid(0), 0);
    close(others[0]);
    close(others[1]);
  }
  close(ends[0]);
  close(ends[1]);
}

}  // namespace
}  // namespace shoal
