#include "agent/rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "agent/rpc/listen_address.h"
#include "common/grpc_deadline.h"
#include "common/status.h"
#include "shoal/v1/metadata.h"

namespace shoal::agent {
namespace {

constexpr size_t kQuotaBytes = size_t{256} << 20;
constexpr int kMaxStreams = 1000;            // per connection
constexpr int kWriteBufferBytes = 16 << 10;  // a stalled reader holds so much, and a frame
// What a client may send of a stream before it is read. With less than two pieces of an upload both
// ends wait for each other, unless gRPC's estimate of the bandwidth comes to help; often it does
// not.
constexpr int kReadAheadBytes = 1 << 20;
// Clients ping every 20 s; a server that allows less ends their connections (ENHANCE_YOUR_CALM).
constexpr int kMinClientPingMs = 5'000;
// Finds half-open connections, once the agent listens on a network. As patient as TCP itself is by default: a client
// that is stopped answers no ping, and is not to be cut for that.
constexpr int kKeepAliveMs = 30'000;
constexpr int kKeepAliveTimeoutMs = 15 * 60'000;

void Configure(grpc::ServerBuilder* builder, bool has_network) {
  builder->SetMaxReceiveMessageSize(v1::kMaxRequestBytes);
  builder->SetResourceQuota(grpc::ResourceQuota("shoald").Resize(kQuotaBytes));
  // No client needs compression, and a megabyte of zeros is a small message.
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder->AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder->AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxStreams);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_WRITE_BUFFER_SIZE, kWriteBufferBytes);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kReadAheadBytes);
  builder->AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                              kMinClientPingMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  if (!has_network) return;
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepAliveMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepAliveTimeoutMs);
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> PlaintextFor(
    const ListenAddress& address) {
  if (address.IsLoopback()) return grpc::InsecureServerCredentials();
  return absl::FailedPreconditionError(absl::StrCat(
      "plaintext on ", address.text,
      " is refused: --insecure-loopback is for loopback addresses; give --tls-cert, --tls-key, "
      "--tls-ca and --allow-identity"));
}

absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> TlsFor(const TlsPaths& paths,
                                                                const Callers* callers) {
  constexpr TlsNames kFlags = {"--tls-cert", "--tls-key", "--tls-ca"};
  for (const auto& [flag, path] :
       {std::pair(kFlags.certificate, paths.certificate), std::pair(kFlags.key, paths.key),
        std::pair(kFlags.ca, paths.ca)}) {
    if (!path.empty()) continue;
    return absl::FailedPreconditionError(absl::StrCat(
        "--listen speaks TLS and needs --tls-cert, --tls-key and --tls-ca; ", flag, " is missing"));
  }
  SHOAL_ASSIGN_OR_RETURN(TlsIdentity identity, ReadTlsIdentity(paths, kFlags));
  grpc::SslServerCredentialsOptions options(
      GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = identity.ca;
  options.pem_key_cert_pairs.push_back({identity.key, identity.certificate});
  std::shared_ptr<grpc::ServerCredentials> credentials = grpc::SslServerCredentials(options);
  credentials->SetAuthMetadataProcessor(std::make_shared<TlsGate>(callers));
  return credentials;
}

// A loopback address with --insecure-loopback and no certificate is in plain text, all else TLS.
absl::StatusOr<std::shared_ptr<grpc::ServerCredentials>> CredentialsFor(
    const ServerOptions& options, const ListenAddress& address, const Callers* callers) {
  bool has_tls =
      !options.tls.certificate.empty() || !options.tls.key.empty() || !options.tls.ca.empty();
  if (options.insecure_loopback && (address.IsLoopback() || !has_tls)) return PlaintextFor(address);
  if (!has_tls) {
    return absl::FailedPreconditionError(absl::StrCat(
        "--listen ", address.text, " needs --tls-cert, --tls-key and --tls-ca",
        address.IsLoopback() ? ", or --insecure-loopback to serve every local user in plain text"
                             : ": plaintext is for loopback addresses only"));
  }
  return TlsFor(options.tls, callers);
}

struct Port {
  ListenAddress address;
  int number = 0;  // filled in by BuildAndStart
};

}  // namespace

Server::Server(const Edge* edge, HostInfo host)
    : edge_(edge),
      process_service_(edge),
      session_service_(edge),
      template_service_(edge),
      host_service_(edge, std::move(host)),
      blob_service_(edge) {}

Server::~Server() = default;

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options,
                                                      const Edge* edge, HostInfo host) {
  auto server = absl::WrapUnique(new Server(edge, std::move(host)));
  absl::Status status = server->Open(options);
  if (status.ok()) return server;
  server->Drain(absl::ZeroDuration());
  return status;
}

absl::Status Server::Open(const ServerOptions& options) {
  grpc::EnableDefaultHealthCheckService(true);
  // Called by name: in a static link nothing else would pull the plugin in.
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  Configure(&builder, !options.listen.empty());
  std::vector<Port> ports(options.listen.size());
  for (size_t i = 0; i < ports.size(); ++i) {
    SHOAL_ASSIGN_OR_RETURN(ports[i].address, ParseListenAddress(options.listen[i]));
    SHOAL_ASSIGN_OR_RETURN(std::shared_ptr<grpc::ServerCredentials> credentials,
                           CredentialsFor(options, ports[i].address, edge_->callers));
    SHOAL_RETURN_IF_ERROR(TryBind(ports[i].address));
    builder.AddListeningPort(ports[i].address.text, std::move(credentials), &ports[i].number);
  }
  builder.RegisterService(&process_service_);
  builder.RegisterService(&session_service_);
  builder.RegisterService(&template_service_);
  builder.RegisterService(&host_service_);
  builder.RegisterService(&blob_service_);
  // Before the server: the lock of the socket keeps a second agent from getting further.
  auto on_accept = [this](UniqueFd fd, uid_t uid, std::shared_ptr<const SocketPeer> peer) {
    edge_->callers->OnAccepted(fd.get(), uid, std::move(peer));
    grpc::AddInsecureChannelFromFd(server_.get(), fd.Release());
  };
  auto on_trouble = [](const std::string& line) { spdlog::warn("{}", line); };
  SHOAL_ASSIGN_OR_RETURN(
      listener_, UnixListener::Open(edge_->loop, options.socket_path, on_accept, on_trouble));
  server_ = builder.BuildAndStart();
  if (server_ == nullptr) {
    return absl::UnavailableError(absl::StrCat(
        "gRPC cannot listen on ", options.listen.empty() ? "any address" : options.listen.front(),
        ": its log has the reason"));
  }
  addresses_.push_back(absl::StrCat("unix:", options.socket_path));
  for (const Port& port : ports) {
    absl::string_view text = port.address.text;
    addresses_.push_back(absl::StrCat(text.substr(0, text.rfind(':') + 1), port.number));
  }
  server_->GetHealthCheckService()->SetServingStatus(true);
  return absl::OkStatus();
}

void Server::Drain(absl::Duration grace) {
  if (server_ == nullptr) return;
  server_->GetHealthCheckService()->SetServingStatus(false);
  edge_->calls->EndAll(
      grpc::Status(grpc::StatusCode::UNAVAILABLE, "the agent is stopping; its processes go on"));
  server_->Shutdown(GrpcDeadlineAfter(grace));
}

}  // namespace shoal::agent
