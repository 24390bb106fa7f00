// A process that plays the parent of forks, played from the test.
#ifndef SHOAL_TESTS_UNIT_OS_FORK_PEER_H_
#define SHOAL_TESTS_UNIT_OS_FORK_PEER_H_

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/ports/fork_parent.h"
#include "agent/os/procfs.h"
#include "common/unique_fd.h"

namespace shoal::agent {

inline void SendFd(int channel, int fd) {
  char byte = 0;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  sendmsg(channel, &message, 0);
}

struct Packet {
  std::string text;
  std::vector<UniqueFd> fds;
  bool ended = false;
};

// Waits for one packet.
inline Packet ReceiveFrom(int fd) {
  char text[1024];
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 8)] = {};
  iovec data{text, sizeof(text)};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  pollfd wait{fd, POLLIN, 0};
  Packet packet;
  if (poll(&wait, 1, 60'000) != 1) return {.text = "nothing came", .fds = {}, .ended = true};
  const ssize_t size = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  packet.ended = size <= 0;
  if (size > 0) packet.text.assign(text, static_cast<size_t>(size));
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
       header = CMSG_NXTHDR(&message, header)) {
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int got = -1;
      std::memcpy(&got, CMSG_DATA(header) + i * sizeof(int), sizeof(got));
      packet.fds.emplace_back(got);
    }
  }
  return packet;
}

// A process that connects, hands the connection over, and waits for its end.
class Peer {
 public:
  explicit Peer(const std::string& path) {
    int channel[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, channel) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      dup2(channel[1], STDERR_FILENO + 1);
      close_range(STDERR_FILENO + 2, ~0u, 0);  // locks of the agent are among them
      Live(path, STDERR_FILENO + 1);
    }
    close(channel[1]);
    channel_ = UniqueFd(channel[0]);
    Connect();
  }
  ~Peer() {
    channel_.Reset();  // which ends it
    if (pid_ > 1) waitpid(pid_, nullptr, 0);
  }

  // It connects once more; the connection before stays open.
  void Connect() {
    send(channel_.get(), "c", 1, 0);
    Packet packet = ReceiveFrom(channel_.get());
    if (!packet.fds.empty()) connections_.push_back(std::move(packet.fds[0]));
  }
  int fd() const { return connections_.empty() ? -1 : connections_.back().get(); }
  int first_fd() const { return connections_.front().get(); }
  void Close() { connections_.clear(); }
  void Say(const std::string& text) {
    EXPECT_EQ(send(fd(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  ForkParent self() const {
    return {.pid = pid_, .start_ticks = ReadProcStat(pid_).value_or(ProcStat()).start_ticks};
  }

 private:
  [[noreturn]] static void Live(const std::string& path, int channel) {
    char byte = 0;
    while (recv(channel, &byte, 1, 0) == 1) {
      const int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
      sockaddr_un address{};
      address.sun_family = AF_UNIX;
      std::copy(path.begin(), path.end(), address.sun_path);
      if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) _exit(1);
      SendFd(channel, fd);
      close(fd);
    }
    _exit(0);
  }

  pid_t pid_ = -1;
  UniqueFd channel_;
  std::vector<UniqueFd> connections_;
};

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_UNIT_OS_FORK_PEER_H_
