#include "shoal/session.h"

#include <utility>

#include "common/status.h"
#include "shoal/duration.h"
#include "shoal/host/host_rep.h"
#include "shoal/link/await.h"
#include "shoal/link/owner.h"

namespace shoal {

struct Session::Rep {
  Rep(std::shared_ptr<Host> session_host, const v1::Session& session, std::string its_token,
      const SessionOptions& options)
      : host(std::move(session_host)),
        id(session.id()),
        token(std::move(its_token)),
        ttl(session.has_ttl() ? FromProto(session.ttl()) : options.ttl),
        lease(host->rep()->link->KeepLease({id, token, ttl, options.on_lost, options.on_silence})) {
    host->rep()->KeepToken(id, token);
  }
  ~Rep() { host->rep()->ForgetToken(id, token); }

  const std::shared_ptr<Host> host;
  const std::string id;
  const std::string token;
  const absl::Duration ttl;
  const std::shared_ptr<Lease> lease;
};

Session::Session(std::shared_ptr<Rep> rep) : rep_(std::move(rep)) {}
Session::~Session() {
  internal::KeepInFork(rep_);
  Abandon();
}

void Session::Open(std::shared_ptr<Host> host, SessionOptions options, CallOptions call,
                   Done<std::unique_ptr<Session>> done) {
  if (options.ttl == absl::ZeroDuration()) options.ttl = DefaultSessionTtl(host->address());
  v1::OpenRequest request;
  request.set_name(options.name);
  *request.mutable_ttl() = ToProto(options.ttl);
  Host* target = host.get();
  target->OpenSession(std::move(request), call,
                      [host = std::move(host), options = std::move(options),
                       done = std::move(done)](absl::StatusOr<v1::OpenResponse> opened) mutable {
                        if (!opened.ok()) return std::move(done)(opened.status());
                        auto rep = std::make_shared<Rep>(std::move(host), opened->session(),
                                                         opened->token(), options);
                        std::move(done)(std::unique_ptr<Session>(new Session(std::move(rep))));
                      });
}

absl::StatusOr<std::unique_ptr<Session>> Session::Open(std::shared_ptr<Host> host,
                                                       SessionOptions options, CallOptions call) {
  return Await<std::unique_ptr<Session>>([&](Done<std::unique_ptr<Session>> done) {
    Open(std::move(host), std::move(options), call, std::move(done));
  });
}

absl::StatusOr<std::unique_ptr<Session>> Session::TakeOver(std::shared_ptr<Host> host,
                                                           const std::string& session_id,
                                                           TakeoverOptions options,
                                                           CallOptions call) {
  v1::TakeoverRequest request;
  request.set_session_id(session_id);
  if (options.unrenewed_for > absl::ZeroDuration()) {
    *request.mutable_unrenewed_for() = ToProto(options.unrenewed_for);
  }
  SHOAL_ASSIGN_OR_RETURN(const v1::TakeoverResponse taken,
                         host->TakeOverSession(std::move(request), call));
  SessionOptions kept;
  kept.ttl = DefaultSessionTtl(host->address());
  kept.on_lost = std::move(options.on_lost);
  auto rep = std::make_shared<Rep>(std::move(host), taken.session(), taken.token(), kept);
  return std::unique_ptr<Session>(new Session(std::move(rep)));
}

const std::string& Session::id() const { return rep_->id; }
const std::string& Session::token() const { return rep_->token; }
absl::Duration Session::ttl() const { return rep_->ttl; }
const std::shared_ptr<Host>& Session::host() const { return rep_->host; }

void Session::Close(CloseOptions options, Done<v1::CloseResponse> done) {
  if (absl::Status ours = internal::CheckNotForked(); !ours.ok()) return std::move(done)(ours);
  Abandon();
  v1::CloseRequest request;
  request.set_session_id(rep_->id);
  request.set_token(rep_->token);
  request.set_forget(options.forget);
  if (options.forget && options.forget_after > absl::ZeroDuration()) {
    *request.mutable_forget_after() = ToProto(options.forget_after);
  }
  request.set_keep_descendants(options.keep_descendants);
  if (options.grace != absl::InfiniteDuration()) *request.mutable_grace() = ToProto(options.grace);
  if (options.timeout != absl::InfiniteDuration()) {
    *request.mutable_timeout() = ToProto(options.timeout);
  }
  // A host that is not reached for a TTL ends the session by itself.
  CallOptions call;
  call.patience = rep_->ttl;
  rep_->host->CloseSession(
      std::move(request), call,
      [done = std::move(done)](absl::StatusOr<v1::CloseResponse> closed) mutable {
        if (absl::IsNotFound(closed.status())) closed = v1::CloseResponse();
        std::move(done)(std::move(closed));
      });
}

absl::StatusOr<v1::CloseResponse> Session::Close(CloseOptions options) {
  return Await<v1::CloseResponse>(
      [&](Done<v1::CloseResponse> done) { Close(options, std::move(done)); });
}

// The lease is of the process that has opened it.
void Session::Abandon() {
  if (!internal::IsForked()) rep_->lease->Drop();
}

absl::Status Session::status() const {
  SHOAL_RETURN_IF_ERROR(internal::CheckNotForked());
  return rep_->lease->status();
}

absl::Duration Session::pause() const { return rep_->lease->pause(); }

}  // namespace shoal
