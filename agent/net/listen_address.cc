#include "agent/net/listen_address.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
#include "common/escape.h"
#include "common/status.h"
#include "common/unique_fd.h"

namespace shoal::agent {
namespace {

constexpr int kBacklog = 4096;  // the kernel has its own limit (net.core.somaxconn)

void SetPort(sockaddr* address, int port) {
  const auto number = htons(static_cast<uint16_t>(port));
  if (address->sa_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address)->sin6_port = number;
  } else {
    reinterpret_cast<sockaddr_in*>(address)->sin_port = number;
  }
}

int PortOf(const sockaddr_storage& address) {
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port
                   : reinterpret_cast<const sockaddr_in&>(address).sin_port);
}

// `port`: 0 for any; the one that it became.
absl::StatusOr<UniqueFd> ListenOn(const addrinfo& info, const std::string& text, int* port) {
  const std::string attempt = absl::StrCat("cannot listen on ", text);
  UniqueFd born(socket(info.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!born) return ErrnoStatus(errno, absl::StrCat(attempt, ": socket"));
  SHOAL_ASSIGN_OR_RETURN(UniqueFd fd, MoveUp(std::move(born), text));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_storage address{};
  std::memcpy(&address, info.ai_addr, info.ai_addrlen);
  auto* wanted = reinterpret_cast<sockaddr*>(&address);
  if (*port != 0) SetPort(wanted, *port);
  if (bind(fd.get(), wanted, info.ai_addrlen) != 0) return ErrnoStatus(errno, attempt);
  if (listen(fd.get(), kBacklog) != 0) return ErrnoStatus(errno, attempt);
  socklen_t size = sizeof(address);
  if (getsockname(fd.get(), wanted, &size) != 0) return ErrnoStatus(errno, attempt);
  *port = PortOf(address);
  return fd;
}

}  // namespace

bool ListenAddress::IsLoopback() const {
  if (host == "localhost" || host == "::1") return true;
  bool is_numeric = host.find_first_not_of("0123456789.") == std::string::npos;
  return is_numeric && absl::StartsWith(host, "127.");
}

absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view text) {
  size_t colon = text.rfind(':');
  ListenAddress address;
  address.text = std::string(text);
  int port = 0;
  if (colon != absl::string_view::npos && colon > 0 &&
      absl::SimpleAtoi(text.substr(colon + 1), &port) && port >= 0 && port <= 65'535) {
    absl::string_view host = text.substr(0, colon);
    bool brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (brackets) host = host.substr(1, host.size() - 2);
    address.host = std::string(host);
    address.port = absl::StrCat(port);
    if (brackets || !absl::StrContains(host, ':')) return address;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("--listen '", EscapeForMessage(text),
                   "' is not HOST:PORT, such as 10.0.0.3:7420 or [::1]:7420"));
}

absl::StatusOr<TcpSockets> Listen(const ListenAddress& address) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  int error = getaddrinfo(address.host.c_str(), address.port.c_str(), &hints, &found);
  if (error != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot listen on ", address.text, ": ", gai_strerror(error)));
  }
  std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owned(found, &freeaddrinfo);
  TcpSockets sockets;
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    SHOAL_ASSIGN_OR_RETURN(UniqueFd fd, ListenOn(*info, address.text, &sockets.port));
    sockets.fds.push_back(std::move(fd));
  }
  return sockets;
}

}  // namespace shoal::agent
