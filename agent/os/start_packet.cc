#include "agent/os/start_packet.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "shoal/v1/fork_protocol.h"

namespace shoal::agent {

absl::StatusOr<bool> SendPacket(int socket, const StartPacket& packet, absl::string_view peer) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * fork_protocol::kSentWithCgroup)] = {};
  iovec data{const_cast<char*>(packet.text.data()), packet.text.size()};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  if (const size_t bytes = packet.descriptors.size() * sizeof(int); bytes != 0) {
    message.msg_control = control;
    message.msg_controllen = CMSG_SPACE(bytes);
    cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(header), packet.descriptors.data(), bytes);
  }
  ssize_t sent = 0;
  do {
    sent = sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return true;
  if (errno == EAGAIN) return false;
  if (errno == EPIPE || errno == ECONNRESET) {
    return absl::UnavailableError("it closed its connection");
  }
  return ErrnoStatus(errno, absl::StrCat("send to ", peer));
}

}  // namespace shoal::agent
