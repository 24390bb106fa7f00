#include "shoal/wire/channel.h"

#include <grpc/grpc.h>
#include <grpc/impl/codegen/grpc_types.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "shoal/wire/agent_certificate.h"

namespace shoal {
namespace {

constexpr int kMaxReceiveBytes = 64 << 20;  // a page of 1,000 processes with long command lines
constexpr int kFirstReconnectMs = 50;
constexpr int kLastReconnectMs = 1000;
// The agent must allow pings at least this often
// (GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS).
constexpr int kKeepAliveMs = 20000;
// Also TCP's user timeout: a connection whose bytes are not acknowledged, renewals of sessions
// among them, is given up for a new one well before a session of 15 s lapses. TCP itself would wait
// for ever longer between its attempts.
constexpr int kKeepAliveTimeoutMs = 5000;

std::shared_ptr<grpc::ChannelCredentials> CredentialsFor(const HostAddress& address,
                                                         const Credentials& credentials) {
  if (address.is_unix() || !credentials.has_certificate()) {
    return grpc::InsecureChannelCredentials();
  }
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(
      std::make_shared<grpc::experimental::StaticDataCertificateProvider>(
          credentials.ca_pem(), std::vector<grpc::experimental::IdentityKeyCertPair>{
                                    {credentials.key_pem(), credentials.cert_pem()}}));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_certificate_verifier(MakeAgentVerifier());
  return grpc::experimental::TlsCredentials(options);
}

// gRPC shuts itself down with its last channel, and may wait 10 s there for a thread of its own
// that still polls: measured at every other end of a program with TLS. So it is never the last one.
void KeepRunning() {
  static const bool kIsKept = [] {
    grpc_init();
    return true;
  }();
  static_cast<void>(kIsKept);
}

}  // namespace

std::shared_ptr<grpc::Channel> MakeChannel(const HostAddress& address, const HostOptions& options,
                                           const Credentials& credentials,
                                           const std::string& target) {
  KeepRunning();
  grpc::ChannelArguments args;
  // Neither is wanted, and each costs set-up time: retries are ours (they keep the request_id), and
  // no service configuration is ever published for an agent.
  args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, kMaxReceiveBytes);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstReconnectMs);
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLastReconnectMs);
  // Despite its name also how long one attempt to connect may take.
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS,
              static_cast<int>(absl::ToInt64Milliseconds(options.connect_timeout)));
  // Two hosts never share a connection: each ends with its own Host.
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  if (!address.is_unix()) {
    args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepAliveMs);
    args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepAliveTimeoutMs);
  }
  if (target != address.target()) {
    args.SetString(GRPC_ARG_DEFAULT_AUTHORITY, absl::StrCat(address.host, ":", address.port));
    args.SetSslTargetNameOverride(address.host);
  }
  return grpc::CreateCustomChannel(target, CredentialsFor(address, credentials), args);
}

}  // namespace shoal
