// An agent that answers HostService.Get alone, over TLS, with a certificate that it has signed itself.
//
// Ownership:     the test's.
// Thread-safety: thread-safe.
// Blocking:      its destructor and Restart() until its connections have ended.
// Errors:        fail the test.
#ifndef SHOAL_TESTS_SUPPORT_TLS_AGENT_H_
#define SHOAL_TESTS_SUPPORT_TLS_AGENT_H_

#include <grpc/grpc_security_constants.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "common/mutex.h"
#include "shoal/v1/host_service.grpc.pb.h"
#include "tests/support/self_signed.h"

namespace shoal::testing {

class TlsAgent final : public v1::HostService::Service {
 public:
  // `clients`: the CA of its clients, PEM.
  explicit TlsAgent(std::string clients) : clients_(std::move(clients)) { Start(); }
  ~TlsAgent() override { server_->Shutdown(std::chrono::system_clock::now()); }

  // Ends every connection.
  void Restart() {
    server_->Shutdown(std::chrono::system_clock::now());
    server_ = nullptr;
    Start();
  }
  int port() const { return port_; }
  const std::string& certificate() const { return own_.certificate; }
  // The certificate that was shown last.
  std::string seen() const {
    MutexLock lock(&mu_);
    return seen_;
  }

  grpc::Status Get(grpc::ServerContext* context, const v1::HostServiceGetRequest*,
                   v1::HostServiceGetResponse* response) override {
    const auto pem = context->auth_context()->FindPropertyValues(GRPC_X509_PEM_CERT_PROPERTY_NAME);
    MutexLock lock(&mu_);
    seen_ = pem.empty() ? "" : std::string(pem[0].data(), pem[0].size());
    response->mutable_host()->set_agent_id("a");
    return grpc::Status::OK;
  }

 private:
  void Start() {
    grpc::SslServerCredentialsOptions options(
        GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
    options.pem_root_certs = clients_;
    options.pem_key_cert_pairs.push_back({own_.key, own_.certificate});
    grpc::ServerBuilder builder;
    builder.AddListeningPort(absl::StrCat("127.0.0.1:", port_), grpc::SslServerCredentials(options),
                             &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
  }

  const SelfSigned own_ = MakeSelfSigned({.names = "IP:127.0.0.1"});
  const std::string clients_;
  int port_ = 0;
  mutable Mutex mu_;
  std::string seen_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_TLS_AGENT_H_
