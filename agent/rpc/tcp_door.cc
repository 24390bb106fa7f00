#include "agent/rpc/tcp_door.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
#include "agent/rpc/tls_gate.h"
#include "common/boot_time.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

using ExternalConnection = grpc::ServerBuilder::experimental_type::ExternalConnectionType;

constexpr absl::Duration kTick = absl::Seconds(1);             // while something may be due soon
constexpr absl::Duration kRevocationTick = absl::Seconds(10);  // how often lists are looked at
// How often gRPC looks for copies that have changed; they change once they were checked.
constexpr unsigned kCopiesSeconds = 1;

// An IPv6 address stands for its /64: so many has any one customer.
std::string AddressText(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (address.ss_family == AF_INET) {
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(address).sin_addr, text, sizeof(text));
    return text;
  }
  if (address.ss_family != AF_INET6) return text;
  in6_addr ip = reinterpret_cast<const sockaddr_in6&>(address).sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&ip)) {
    inet_ntop(AF_INET, ip.s6_addr + 12, text, sizeof(text));
    return text;
  }
  if (IN6_IS_ADDR_LOOPBACK(&ip)) return "::1";
  std::memset(ip.s6_addr + 8, 0, 8);
  inet_ntop(AF_INET6, &ip, text, sizeof(text));
  return absl::StrCat(text, "/64");
}

}  // namespace

absl::StatusOr<std::unique_ptr<TcpDoor>> TcpDoor::Open(const TcpOptions& options,
                                                       Callers* callers) {
  auto door = absl::WrapUnique(new TcpDoor(options, callers));
  SHOAL_RETURN_IF_ERROR(door->OpenSockets());
  SHOAL_RETURN_IF_ERROR(door->OpenTls());
  SHOAL_ASSIGN_OR_RETURN(door->loop_, EventLoop::Create());
  return door;
}

TcpDoor::~TcpDoor() { Stop(); }

bool TcpDoor::HasTls() const {
  return !options_.tls.certificate.empty() || !options_.tls.key.empty() || !options_.tls.ca.empty();
}

// A loopback address with --insecure-loopback and no certificate is in plain text, all else TLS.
absl::StatusOr<bool> TcpDoor::IsPlain(const ListenAddress& address) const {
  if (options_.insecure_loopback && address.IsLoopback()) return true;
  if (HasTls()) return false;
  if (options_.insecure_loopback) {
    return absl::FailedPreconditionError(absl::StrCat(
        "plaintext on ", address.text,
        " is refused: --insecure-loopback is for loopback addresses; give --tls-cert, --tls-key, "
        "--tls-ca and --allow-identity"));
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "--listen ", address.text, " needs --tls-cert, --tls-key and --tls-ca",
      address.IsLoopback() ? ", or --insecure-loopback to serve every local user in plain text"
                           : ": plaintext is for loopback addresses only"));
}

absl::Status TcpDoor::OpenSockets() {
  for (const std::string& text : options_.listen) {
    Listening listening;
    SHOAL_ASSIGN_OR_RETURN(listening.address, ParseListenAddress(text));
    SHOAL_ASSIGN_OR_RETURN(listening.is_plain, IsPlain(listening.address));
    SHOAL_ASSIGN_OR_RETURN(listening.sockets, Listen(listening.address));
    addresses_.push_back(absl::StrCat(text.substr(0, text.rfind(':') + 1), listening.sockets.port));
    listening_.push_back(std::move(listening));
  }
  return absl::OkStatus();
}

absl::Status TcpDoor::OpenTls() {
  if (std::all_of(listening_.begin(), listening_.end(),
                  [](const Listening& one) { return one.is_plain; })) {
    return absl::OkStatus();
  }
  for (const auto& [flag, path] :
       {std::pair("--tls-cert", options_.tls.certificate), std::pair("--tls-key", options_.tls.key),
        std::pair("--tls-ca", options_.tls.ca)}) {
    if (!path.empty()) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        "--listen speaks TLS and needs --tls-cert, --tls-key and --tls-ca; ", flag, " is missing"));
  }
  SHOAL_ASSIGN_OR_RETURN(files_, TlsFiles::Open(options_.tls, options_.run_directory));
  return ReadRevocations();
}

void TcpDoor::AddTo(grpc::ServerBuilder* builder) {
  if (files_ != nullptr) {
    const TlsPaths copies = files_->copies();
    auto provider = std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
        copies.key, copies.certificate, copies.ca, kCopiesSeconds);
    for (size_t door = 0; door < callers_->connections().limits().doors; ++door) {
      // Of its own for each: the credentials take it over.
      grpc::experimental::TlsServerCredentialsOptions options(provider);
      options.watch_root_certs();
      options.watch_identity_key_cert_pairs();
      options.set_cert_request_type(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
      std::shared_ptr<grpc::ServerCredentials> credentials =
          grpc::experimental::TlsServerCredentials(options);
      credentials->SetAuthMetadataProcessor(std::make_shared<TlsGate>(&callers_->tls(), door));
      tls_acceptors_.push_back(builder->experimental().AddExternalConnectionAcceptor(
          ExternalConnection::FROM_FD, std::move(credentials)));
    }
  }
  if (std::any_of(listening_.begin(), listening_.end(),
                  [](const Listening& one) { return one.is_plain; })) {
    plain_acceptor_ = builder->experimental().AddExternalConnectionAcceptor(
        ExternalConnection::FROM_FD, grpc::InsecureServerCredentials());
  }
}

absl::Status TcpDoor::Start() {
  for (Listening& listening : listening_) {
    for (UniqueFd& fd : listening.sockets.fds) {
      accept_loops_.push_back(std::make_unique<AcceptLoop>(
          loop_.get(), std::move(fd), listening.address.text, /*spares=*/0,
          [this, is_plain = listening.is_plain](UniqueFd peer) {
            OnAccepted(std::move(peer), is_plain);
          },
          [](const std::string& line) { spdlog::warn("{}", line); }));
      SHOAL_RETURN_IF_ERROR(accept_loops_.back()->Start());
    }
  }
  Arm(kTick);
  thread_ = std::thread([this] { loop_->Run(); });
  return absl::OkStatus();
}

void TcpDoor::Stop() {
  if (thread_.joinable()) {
    loop_->Stop();
    thread_.join();
  }
  accept_loops_.clear();
  // gRPC ends what is left; a duplicate would keep the peer from seeing it.
  callers_->connections().Forget();
}

void TcpDoor::OnAccepted(UniqueFd fd, bool is_plain) {
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  if (getpeername(fd.get(), reinterpret_cast<sockaddr*>(&peer), &size) != 0) return;
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  UniqueFd duplicate(fcntl(fd.get(), F_DUPFD_CLOEXEC, kLowestOwnFd));
  if (!duplicate) return;
  Arm(kTick);
  const int watched = duplicate.get();
  const BootTime now = BootTime::Now();
  const std::string address = AddressText(peer);
  TcpConnections& connections = callers_->connections();
  if (is_plain) {
    const std::optional<TcpConnections::Id> id =
        connections.AddPlain(address, Callers::Loopback(), std::move(duplicate), now);
    if (id.has_value()) HandOver(plain_acceptor_.get(), std::move(fd), watched, *id);
    return;
  }
  const std::optional<TcpConnections::Admission> admission =
      connections.Add(address, std::move(duplicate), now);
  if (!admission.has_value()) return;
  HandOver(tls_acceptors_[admission->door].get(), std::move(fd), watched, admission->id);
}

void TcpDoor::HandOver(Acceptor* acceptor, UniqueFd fd, int duplicate, TcpConnections::Id id) {
  const absl::Status watched = loop_->Watch(duplicate, EPOLLRDHUP, [this, duplicate, id](uint32_t) {
    loop_->Unwatch(duplicate);
    callers_->connections().Remove(id);
    Arm(kTick);
  });
  if (!watched.ok()) {
    callers_->connections().Remove(id);
    return;
  }
  Acceptor::NewConnectionParameters connection;
  connection.fd = fd.Release();
  acceptor->HandleNewConnection(&connection);
}

void TcpDoor::Arm(absl::Duration delay) {
  const BootTime due = BootTime::Now() + delay;
  if (tick_ != 0) {
    if (tick_due_ <= due) return;
    loop_->Cancel(tick_);
  }
  tick_due_ = due;
  tick_ = loop_->After(delay, [this] {
    tick_ = 0;
    Tick();
  });
}

void TcpDoor::Tick() {
  TcpConnections& connections = callers_->connections();
  const BootTime now = BootTime::Now();
  const BootTime next = connections.EndOverdue(now);
  for (const TcpEvent& event : connections.TakeEvents()) {
    spdlog::warn("TCP: {} {} of {} {}", event.count,
                 event.count == 1 ? "connection" : "connections", event.address, event.what);
    callers_->TellEnded(event);
  }
  if (connections.half_open() > 0) Arm(kTick);
  if (next < BootTime::InfiniteFuture()) Arm(std::max(next - now, kTick));
  if (options_.crl_directory.empty()) return;
  if (now >= next_revocation_check_) {
    next_revocation_check_ = now + kRevocationTick;
    CheckRevocations();
  }
  Arm(kRevocationTick);
}

void TcpDoor::CheckRevocations() {
  const std::string state = RevocationLists::StateOf(options_.crl_directory);
  if (state == revocations_state_) return;
  const absl::Status read = ReadRevocations();
  if (read.ok()) {
    spdlog::info("read the changed revocation lists of {}", options_.crl_directory);
  } else {
    revocations_state_ = state;  // said once
    spdlog::error("{}; what the other files say counts, and what was read before",
                  std::string(read.message()));
  }
}

absl::Status TcpDoor::ReadRevocations() {
  if (options_.crl_directory.empty() || files_ == nullptr) return absl::OkStatus();
  SHOAL_ASSIGN_OR_RETURN(RevocationLists lists,
                         RevocationLists::Read(options_.crl_directory, files_->ca()));
  for (const std::string& line : lists.complaints()) spdlog::warn("{}", line);
  revocations_state_ = lists.state();
  absl::Status trouble = lists.trouble();
  // What is in a file that cannot be read now may have been read before.
  if (!trouble.ok()) lists.Add(revocations_);
  revocations_ = lists;
  callers_->tls().SetRevocations(std::move(lists));
  return trouble;
}

void TcpDoor::Reload(absl::AnyInvocable<void(absl::Status)> done) {
  loop_->Post([this, done = std::move(done)]() mutable {
    absl::Status status = files_ == nullptr ? absl::OkStatus() : files_->Reload();
    status.Update(ReadRevocations());
    done(status);
  });
}

}  // namespace shoal::agent
