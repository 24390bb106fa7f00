#include "agent/rpc/listen_address.h"

#include <netdb.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/escape.h"
#include "common/status.h"
#include "common/unique_fd.h"

namespace shoal::agent {
namespace {

absl::Status TryBindOne(const addrinfo& info, const std::string& text) {
  UniqueFd fd(socket(info.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return ErrnoStatus(errno, absl::StrCat("cannot listen on ", text, ": socket"));
  int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd.get(), info.ai_addr, info.ai_addrlen) == 0) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("cannot listen on ", text));
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

absl::Status TryBind(const ListenAddress& address) {
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
  for (const addrinfo* info = found; info != nullptr; info = info->ai_next) {
    SHOAL_RETURN_IF_ERROR(TryBindOne(*info, address.text));
  }
  return absl::OkStatus();
}

}  // namespace shoal::agent
