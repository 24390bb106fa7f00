// What becomes of an offer to be a template, by what is at the other end of the socket.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/unique_fd.h"
#include "shoal/fork_server.h"
#include "shoal/v1/fork_protocol.h"

namespace shoal {
namespace {

class OfferTest : public ::testing::Test {
 protected:
  OfferTest() {
    char name[] = "/tmp/shoal-offer-XXXXXX";
    directory_ = mkdtemp(name);
    path_ = directory_ + "/s";
    setenv(fork_protocol::kSocketVariable, path_.c_str(), 1);
  }
  ~OfferTest() override {
    unlink(path_.c_str());
    rmdir(directory_.c_str());
    unsetenv(fork_protocol::kSocketVariable);
  }

  // Offers this process to one that answers the connections in turn, each with one of `answers` to
  // its first packet; nothing for an empty one. What ServeForks() returns; heard_ has the packets.
  absl::Status OfferTo(const std::vector<std::string>& answers) {
    UniqueFd listener(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    memcpy(address.sun_path, path_.data(), path_.size());
    EXPECT_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(listen(listener.get(), 8), 0);
    std::thread agent([&] {
      for (const std::string& answer : answers) {
        UniqueFd connection(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
        heard_.push_back(Hear(connection.get()));
        if (!answer.empty()) send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
        if (answer != "welcome") continue;
        send(connection.get(), "fork 1 2", 8, MSG_NOSIGNAL);
        heard_.push_back(Hear(connection.get()));
      }
    });
    absl::Status status = ServeForks().status();
    agent.join();
    return status;
  }

  std::string directory_, path_;
  std::vector<std::string> heard_;

 private:
  static std::string Hear(int connection) {
    char text[512];
    ssize_t size = recv(connection, text, sizeof(text), 0);
    return std::string(text, size > 0 ? static_cast<size_t>(size) : 0);
  }
};

TEST_F(OfferTest, WithoutAnAgentIsRefused) {
  unsetenv(fork_protocol::kSocketVariable);
  EXPECT_EQ(ServeForks().status(),
            absl::FailedPreconditionError(
                "SHOAL_FORK_SOCKET is not set: no agent has started this process"));
}

TEST_F(OfferTest, APathThatIsTooLongIsRefused) {
  setenv(fork_protocol::kSocketVariable, std::string(108, 'x').c_str(), 1);
  EXPECT_EQ(ServeForks().status(),
            absl::InvalidArgumentError("SHOAL_FORK_SOCKET is longer than 107 bytes"));
}

TEST_F(OfferTest, ThatIsRefusedIsOver) {
  EXPECT_EQ(OfferTo({"refused it has no business here"}),
            absl::FailedPreconditionError(
                "the agent refuses this process as a template: it has no business here"));
  EXPECT_EQ(heard_[0], absl::StrCat("offer ", fork_protocol::kVersion));
}

TEST_F(OfferTest, ToOneThatSpeaksOtherwiseIsOver) {
  EXPECT_EQ(OfferTo({"HTTP/1.1 400"}),
            absl::UnimplementedError(
                absl::StrCat("who listens at ", path_, " does not speak this protocol")));
}

TEST_F(OfferTest, ThatIsNotAnsweredIsRepeatedAndToldOnce) {
  ::testing::internal::CaptureStderr();
  absl::Status status = OfferTo({"", "", "refused x"});
  EXPECT_EQ(::testing::internal::GetCapturedStderr(),
            "shoal: the agent has closed the connection; trying again\n");
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
}

TEST_F(OfferTest, OfOneWithThreadsForksNothing) {
  EXPECT_TRUE(absl::IsFailedPrecondition(OfferTo({"welcome", "refused x"})));
  ASSERT_EQ(heard_.size(), 3u);
  EXPECT_TRUE(absl::StartsWith(heard_[1], "failed 1 threads 0 it has ")) << heard_[1];
}

}  // namespace
}  // namespace shoal
