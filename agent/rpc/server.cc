#include "agent/rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_posix.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <climits>
#include <cstdint>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "agent/rpc/executor_threads.h"
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
constexpr int kHandshakeTimeoutMs = 5'000;
constexpr int kMaxIdleMs = 10 * 60'000;  // without an open call
constexpr int kAgeGraceMs = 60'000;      // for the calls of a connection that is too old

int Milliseconds(absl::Duration span) {
  return static_cast<int>(std::min<int64_t>(absl::ToInt64Milliseconds(span), INT_MAX));
}

void Configure(grpc::ServerBuilder* builder, const ServerOptions& options) {
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
  if (options.tcp.listen.empty()) return;
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepAliveMs);
  builder->AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepAliveTimeoutMs);
  builder->AddChannelArgument("grpc.server_handshake_timeout_ms", kHandshakeTimeoutMs);
  // What follows ends connections with notice (GOAWAY): a client goes on over a new one.
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_IDLE_MS, kMaxIdleMs);
  if (options.max_connection_age == absl::InfiniteDuration()) return;
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS,
                              Milliseconds(options.max_connection_age));
  builder->AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, kAgeGraceMs);
}

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
  server->StopListening();
  server->Drain(absl::ZeroDuration());
  return status;
}

absl::Status Server::Open(const ServerOptions& options) {
  grpc::EnableDefaultHealthCheckService(true);
  // Called by name: in a static link nothing else would pull the plugin in.
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  Configure(&builder, options);
  if (!options.tcp.listen.empty()) {
    SHOAL_ASSIGN_OR_RETURN(door_, TcpDoor::Open(options.tcp, edge_->callers));
    door_->AddTo(&builder);
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
  if (server_ == nullptr)
    return absl::UnavailableError("gRPC cannot start: its log has the reason");
  MakeExecutorThreads();
  addresses_.push_back(absl::StrCat("unix:", options.socket_path));
  if (door_ != nullptr) {
    SHOAL_RETURN_IF_ERROR(door_->Start());
    addresses_.insert(addresses_.end(), door_->addresses().begin(), door_->addresses().end());
  }
  server_->GetHealthCheckService()->SetServingStatus(true);
  return absl::OkStatus();
}

void Server::StopListening() {
  listener_.reset();
  if (door_ != nullptr) door_->Stop();
}

void Server::Reload(absl::AnyInvocable<void(absl::Status)> done) {
  if (door_ == nullptr) return done(absl::OkStatus());
  door_->Reload(std::move(done));
}

void Server::Drain(absl::Duration grace) {
  if (server_ == nullptr) return;
  server_->GetHealthCheckService()->SetServingStatus(false);
  edge_->calls->EndAll(
      grpc::Status(grpc::StatusCode::UNAVAILABLE, "the agent is stopping; its processes go on"));
  server_->Shutdown(GrpcDeadlineAfter(grace));
}

}  // namespace shoal::agent
