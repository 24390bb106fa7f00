#include "agent/os/fork_socket.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
#include "agent/os/procfs.h"
#include "common/escape.h"
#include "common/status.h"
#include "shoal/v1/fork_protocol.h"

namespace shoal::agent {
namespace {

constexpr int kBacklog = 256;
constexpr int kAcceptsPerTurn = 64;
constexpr int kPacketsPerTurn = 64;

absl::StatusOr<UniqueFd> Bind(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return absl::InvalidArgumentError(absl::StrCat("socket path too long (", path.size(), " > ",
                                                   sizeof(address.sun_path) - 1, "): ", path));
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  struct stat facts {};
  if (lstat(path.c_str(), &facts) == 0 && !S_ISSOCK(facts.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(path, " is there and is not a socket"));
  }
  unlink(path.c_str());
  UniqueFd born(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!born) return ErrnoStatus(errno, absl::StrCat("socket for ", path));
  SHOAL_ASSIGN_OR_RETURN(UniqueFd fd, MoveUp(std::move(born), path));
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    return ErrnoStatus(errno, absl::StrCat("bind ", path));
  }
  // No process can connect before it listens, so the mode comes in time.
  if (chmod(path.c_str(), 0600) != 0) return ErrnoStatus(errno, absl::StrCat("chmod ", path));
  if (listen(fd.get(), kBacklog) != 0) return ErrnoStatus(errno, absl::StrCat("listen ", path));
  return fd;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ForkSocket>> ForkSocket::Open(EventLoop* loop,
                                                             const std::string& path,
                                                             Handlers handlers,
                                                             absl::Duration time_to_offer) {
  SHOAL_ASSIGN_OR_RETURN(UniqueFd fd, Bind(path));
  auto socket = absl::WrapUnique(
      new ForkSocket(loop, path, std::move(fd), std::move(handlers), time_to_offer));
  SHOAL_RETURN_IF_ERROR(socket->Watch());
  return socket;
}

ForkSocket::ForkSocket(EventLoop* loop, std::string path, UniqueFd fd, Handlers handlers,
                       absl::Duration time_to_offer)
    : loop_(loop),
      path_(std::move(path)),
      fd_(std::move(fd)),
      handlers_(std::move(handlers)),
      time_to_offer_(time_to_offer) {}

ForkSocket::~ForkSocket() {
  if (resume_ != 0) {
    loop_->Cancel(resume_);
  } else {
    loop_->Unwatch(fd_.get());
  }
  for (const auto& [pid, connection] : connections_) loop_->Unwatch(connection->fd());
  for (const auto& [pid, timer] : offers_due_) loop_->Cancel(timer);
  unlink(path_.c_str());
}

absl::Status ForkSocket::Watch() {
  return loop_->Watch(fd_.get(), EPOLLIN, [this](uint32_t) { OnAcceptable(); });
}

void ForkSocket::OnAcceptable() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    UniqueFd fd(accept4(fd_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (fd) {
      is_short_ = false;
      Admit(std::move(fd));
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      return PauseForWantOfDescriptors();
    } else if (errno != EINTR && errno != ECONNABORTED) {
      return;  // EAGAIN: none is left.
    }
  }
}

// The socket stays readable, so watching on would spin. Told once, however long it takes.
void ForkSocket::PauseForWantOfDescriptors() {
  const absl::Status why = ErrnoStatus(errno, "accept4");
  if (!std::exchange(is_short_, true)) {
    handlers_.on_trouble(
        absl::StrCat("cannot accept on ", path_, ": ", why.message(), "; trying again"));
  }
  loop_->Unwatch(fd_.get());
  resume_ = loop_->After(kPause, [this] {
    resume_ = 0;
    if (!Watch().ok()) PauseForWantOfDescriptors();
  });
}

// A PID may be reused: the start time goes with it, and both are compared with the record.
void ForkSocket::Admit(UniqueFd fd) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  if (getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 1) return;
  const std::optional<ProcStat> stat = ReadProcStat(peer.pid);
  if (!stat) return;
  // One connection per process: a newer one stands for a process that connects anew.
  if (const auto older = connections_.find(peer.pid); older != connections_.end()) {
    Drop(older->second, absl::UnavailableError("it connected anew"));
  }
  auto connection = std::make_shared<ForkConnection>(
      std::move(fd), ForkParent{.pid = peer.pid, .start_ticks = stat->start_ticks});
  const absl::Status watched = loop_->Watch(
      connection->fd(), EPOLLIN, [this, pid = peer.pid](uint32_t events) { OnReady(pid, events); });
  if (!watched.ok()) return;
  connections_[peer.pid] = connection;
  offers_due_[peer.pid] = loop_->After(time_to_offer_, [this, connection] {
    Drop(connection, absl::DeadlineExceededError(absl::StrCat(
                         "it has not offered itself for ", absl::FormatDuration(time_to_offer_))));
  });
}

void ForkSocket::StopWaitingForOffer(int pid) {
  const auto due = offers_due_.find(pid);
  if (due == offers_due_.end()) return;
  loop_->Cancel(due->second);
  offers_due_.erase(due);
}

void ForkSocket::WatchForRoom(const Connection& connection) {
  loop_->Rewatch(connection->fd(), EPOLLIN | (connection->IsBlocked() ? EPOLLOUT : 0u));
}

bool ForkSocket::IsCurrent(const Connection& connection) const {
  const auto found = connections_.find(connection->peer().pid);
  return found != connections_.end() && found->second == connection;
}

void ForkSocket::OnReady(int pid, uint32_t events) {
  const auto found = connections_.find(pid);
  if (found == connections_.end()) return;
  const Connection connection = found->second;
  // Reads first: what a peer said before it ended still counts.
  absl::Status status = ReadFrom(connection);
  if (status.ok() && (events & EPOLLOUT) != 0 && IsCurrent(connection)) {
    status = connection->Flush();
    WatchForRoom(connection);
  }
  if (!status.ok()) Drop(connection, status);
}

absl::Status ForkSocket::ReadFrom(const Connection& connection) {
  for (int i = 0; i < kPacketsPerTurn; ++i) {
    absl::StatusOr<std::optional<ForkConnection::Message>> message = connection->Receive();
    if (!message.ok()) return message.status();
    if (!message->has_value()) return absl::OkStatus();
    Tell(*connection, **message);
    if (!IsCurrent(connection)) return absl::OkStatus();
  }
  return absl::OkStatus();
}

void ForkSocket::Tell(const ForkConnection& connection, const ForkConnection::Message& message) {
  switch (message.kind) {
    case ForkConnection::Message::kOffer:
      StopWaitingForOffer(connection.peer().pid);
      return handlers_.on_offer(connection.peer());
    case ForkConnection::Message::kFailed:
      return handlers_.on_failed(message.asked, message.failure, /*broken=*/false);
    case ForkConnection::Message::kForked:
      return handlers_.on_forked(message.asked);
  }
}

void ForkSocket::Drop(Connection connection, const absl::Status& why) {
  if (!IsCurrent(connection)) return;
  const ForkParent peer = connection->peer();
  loop_->Unwatch(connection->fd());
  connections_.erase(peer.pid);
  StopWaitingForOffer(peer.pid);
  if (!absl::IsUnavailable(why)) {
    const std::string refusal = absl::StrCat("refused ", why.message());
    connection->Send({.text = refusal.substr(0, fork_protocol::kMaxPacketBytes)}).IgnoreError();
    handlers_.on_trouble(
        absl::StrCat("closed the fork connection of PID ", peer.pid, ": ", why.message()));
  }
  const ForkFailure failure{.stage = fork_protocol::kStageFork,
                            .error_number = ECONNRESET,
                            .text = "it ended or closed its connection before it had forked"};
  for (const AskedFork& asked : connection->Unanswered()) {
    handlers_.on_failed(asked, failure, /*broken=*/true);
  }
  if (connection->has_offered()) handlers_.on_withdrawn(peer);
}

void ForkSocket::Answer(const ForkParent& parent, const absl::Status& welcome) {
  const auto found = connections_.find(parent.pid);
  if (found == connections_.end() || found->second->peer() != parent) return;
  const Connection connection = found->second;
  const absl::Status sent = welcome.ok() ? connection->Send({.text = "welcome"}) : welcome;
  if (!sent.ok()) Drop(connection, sent);
}

absl::Status ForkSocket::Fork(const ForkParent& parent, AskedFork asked, StartPacket packet) {
  const auto found = connections_.find(parent.pid);
  if (found == connections_.end() || found->second->peer() != parent) {
    return absl::UnavailableError("it has closed its connection");
  }
  const Connection connection = found->second;
  const bool was_blocked = connection->IsBlocked();
  SHOAL_RETURN_IF_ERROR(connection->SendFork(std::move(asked), std::move(packet)));
  if (connection->IsBlocked() && !was_blocked) WatchForRoom(connection);
  return absl::OkStatus();
}

}  // namespace shoal::agent
