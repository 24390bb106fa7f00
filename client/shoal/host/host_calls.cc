// The unary calls of a Host.
#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/boot_time.h"
#include "common/end_times.h"
#include "common/ids.h"
#include "shoal/duration.h"
#include "shoal/host.h"
#include "shoal/host/host_rep.h"
#include "shoal/host/wait_call.h"
#include "shoal/link/await.h"

namespace shoal {
namespace {

constexpr absl::Duration kAnswerMargin = absl::Seconds(5);
// When only the agent knows how long the grace is.
constexpr absl::Duration kLongestEnding = absl::Minutes(10);

template <typename Request>
void FillRequestId(const Host::Rep& rep, Request* request) {
  if (!request->request_id().empty()) return;
  request->set_request_id(NewRequestIdAt(rep.link->AgentTime()));
}

template <typename Request>
void FillIdentity(const Host::Rep& rep, Request* request) {
  AgentIdentity identity = rep.Identity();
  if (request->agent_id().empty()) request->set_agent_id(identity.agent_id);
  if (request->boot_id().empty()) request->set_boot_id(identity.boot_id);
}

template <typename Request>
void FillToken(const Host::Rep& rep, Request* request) {
  if (!request->session_token().empty() || request->session_id().empty()) return;
  request->set_session_token(rep.TokenOf(request->session_id()));
}

// The time that a call needs which ends processes and proves their trees empty.
template <typename Request>
CallOptions TimeForEnding(const Request& request, CallOptions options) {
  absl::Duration needed = kLongestEnding;
  if (request.has_timeout()) {
    needed = FromProto(request.timeout());
  } else if (request.has_grace()) {
    needed = FromProto(request.grace()) + kProofTime;
  }
  options.timeout = std::max(options.timeout, needed + kAnswerMargin);
  return options;
}

// All pages of one List.
class Lister : public std::enable_shared_from_this<Lister> {
 public:
  Lister(Link* link, v1::ListRequest request, CallOptions options,
         Done<std::vector<v1::Process>> done)
      : link_(link),
        request_(std::move(request)),
        options_(options),
        deadline_(BootTime::Now() + options.timeout),
        done_(std::move(done)) {}

  void Next() {
    options_.timeout = deadline_ - BootTime::Now();
    link_->List(request_, options_,
                [self = shared_from_this()](absl::StatusOr<v1::ListResponse> page) {
                  self->OnPage(std::move(page));
                });
  }

 private:
  void OnPage(absl::StatusOr<v1::ListResponse> page) {
    if (!page.ok()) return std::move(done_)(page.status());
    for (v1::Process& process : *page->mutable_processes()) {
      processes_.push_back(std::move(process));
    }
    if (page->next_page_token().empty()) return std::move(done_)(std::move(processes_));
    request_.set_page_token(page->next_page_token());
    Next();
  }

  Link* const link_;
  v1::ListRequest request_;
  CallOptions options_;
  const BootTime deadline_;
  std::vector<v1::Process> processes_;
  Done<std::vector<v1::Process>> done_;
};

// All pages of one list of sessions.
class SessionLister : public std::enable_shared_from_this<SessionLister> {
 public:
  SessionLister(Link* link, CallOptions options, Done<std::vector<v1::Session>> done)
      : link_(link),
        options_(options),
        deadline_(BootTime::Now() + options.timeout),
        done_(std::move(done)) {}

  void Next() {
    options_.timeout = deadline_ - BootTime::Now();
    link_->ListSessions(
        request_, options_,
        [self = shared_from_this()](absl::StatusOr<v1::SessionServiceListResponse> page) {
          self->OnPage(std::move(page));
        });
  }

 private:
  void OnPage(absl::StatusOr<v1::SessionServiceListResponse> page) {
    if (!page.ok()) return std::move(done_)(page.status());
    sessions_.insert(sessions_.end(), page->sessions().begin(), page->sessions().end());
    if (page->next_page_token().empty()) return std::move(done_)(std::move(sessions_));
    request_.set_page_token(page->next_page_token());
    Next();
  }

  Link* const link_;
  v1::SessionServiceListRequest request_;
  CallOptions options_;
  const BootTime deadline_;
  std::vector<v1::Session> sessions_;
  Done<std::vector<v1::Session>> done_;
};

}  // namespace

// One blocking and one asynchronous form of a call whose answer is the response as it is.
#define SHOAL_DEFINE_CALL(Name, Request, Response, adjust)                                     \
  void Host::Name(v1::Request request, CallOptions options, Done<v1::Response> done) {         \
    Rep* rep = rep_.get();                                                                     \
    adjust;                                                                                    \
    rep->link->Name(std::move(request), options, std::move(done));                             \
  }                                                                                            \
  absl::StatusOr<v1::Response> Host::Name(v1::Request request, CallOptions options) {          \
    return Await<v1::Response>(                                                                \
        [&](Done<v1::Response> done) { Name(std::move(request), options, std::move(done)); }); \
  }

SHOAL_DEFINE_CALL(Spawn, SpawnRequest, SpawnResponse, {
  FillRequestId(*rep, &request);
  FillIdentity(*rep, &request);
  FillToken(*rep, &request);
})
SHOAL_DEFINE_CALL(SpawnBatch, SpawnBatchRequest, SpawnBatchResponse, {
  FillRequestId(*rep, &request);
  FillIdentity(*rep, &request);
  FillToken(*rep, &request);
})
SHOAL_DEFINE_CALL(Signal, SignalRequest, SignalResponse, FillRequestId(*rep, &request))
SHOAL_DEFINE_CALL(Terminate, TerminateRequest, TerminateResponse, {
  FillRequestId(*rep, &request);
  options = TimeForEnding(request, options);
})
SHOAL_DEFINE_CALL(Update, UpdateRequest, UpdateResponse, FillRequestId(*rep, &request))
SHOAL_DEFINE_CALL(Delete, DeleteRequest, DeleteResponse, FillRequestId(*rep, &request))
SHOAL_DEFINE_CALL(WriteInput, WriteInputRequest, WriteInputResponse, {
  const absl::Duration most = std::max(options.timeout - kAnswerMargin, absl::ZeroDuration());
  if (!request.has_timeout() || FromProto(request.timeout()) > most) {
    *request.mutable_timeout() = ToProto(most);
  }
})
SHOAL_DEFINE_CALL(ResizeTerminal, ResizeTerminalRequest, ResizeTerminalResponse, {})
SHOAL_DEFINE_CALL(KeepAlive, KeepAliveRequest, KeepAliveResponse, {})
SHOAL_DEFINE_CALL(TakeOverSession, TakeoverRequest, TakeoverResponse, FillRequestId(*rep, &request))
SHOAL_DEFINE_CALL(CloseSession, CloseRequest, CloseResponse,
                  options = TimeForEnding(request, options))
SHOAL_DEFINE_CALL(FindMissingBlobs, FindMissingRequest, FindMissingResponse, {})
SHOAL_DEFINE_CALL(FindMissingLibraries, FindMissingLibrariesRequest, FindMissingLibrariesResponse,
                  {})

#undef SHOAL_DEFINE_CALL

void Host::OpenSession(v1::OpenRequest request, CallOptions options, Done<v1::OpenResponse> done) {
  Rep* rep = rep_.get();
  FillRequestId(*rep, &request);
  rep->link->OpenSession(
      std::move(request), options,
      [rep, done = std::move(done)](absl::StatusOr<v1::OpenResponse> answer) mutable {
        if (answer.ok()) rep->Pin(answer->agent_id(), answer->boot_id());
        std::move(done)(std::move(answer));
      });
}

absl::StatusOr<v1::OpenResponse> Host::OpenSession(v1::OpenRequest request, CallOptions options) {
  return Await<v1::OpenResponse>([&](Done<v1::OpenResponse> done) {
    OpenSession(std::move(request), options, std::move(done));
  });
}

void Host::GetFacts(CallOptions options, Done<v1::Host> done) {
  GetFacts({}, options, std::move(done));
}

void Host::Check(CallOptions options, Done<v1::Host> done) {
  v1::HostServiceGetRequest request;
  request.set_checks(true);
  GetFacts(std::move(request), options, std::move(done));
}

void Host::GetFacts(v1::HostServiceGetRequest request, CallOptions options, Done<v1::Host> done) {
  Rep* rep = rep_.get();
  rep->link->GetFacts(
      std::move(request), options,
      [rep, done = std::move(done)](absl::StatusOr<v1::HostServiceGetResponse> answer) mutable {
        if (!answer.ok()) return std::move(done)(answer.status());
        rep->Pin(answer->host().agent_id(), answer->host().boot_id());
        std::move(done)(std::move(*answer->mutable_host()));
      });
}

absl::StatusOr<v1::Host> Host::GetFacts(CallOptions options) {
  return Await<v1::Host>([&](Done<v1::Host> done) { GetFacts(options, std::move(done)); });
}

void Host::Get(absl::string_view selector, bool live_usage, CallOptions options,
               Done<v1::Process> done) {
  Rep* rep = rep_.get();
  v1::GetRequest request;
  request.set_selector(std::string(selector));
  request.set_live_usage(live_usage);
  rep->link->Get(std::move(request), options,
                 [done = std::move(done)](absl::StatusOr<v1::GetResponse> answer) mutable {
                   if (!answer.ok()) return std::move(done)(answer.status());
                   std::move(done)(std::move(*answer->mutable_process()));
                 });
}

absl::StatusOr<v1::Process> Host::Get(absl::string_view selector, bool live_usage,
                                      CallOptions options) {
  return Await<v1::Process>(
      [&](Done<v1::Process> done) { Get(selector, live_usage, options, std::move(done)); });
}

absl::StatusOr<v1::Process> Host::GetByRequest(absl::string_view request_id, CallOptions options) {
  v1::GetRequest request;
  request.set_request_id(std::string(request_id));
  absl::StatusOr<v1::GetResponse> answer = Await<v1::GetResponse>([&](Done<v1::GetResponse> done) {
    rep_->link->Get(std::move(request), options, std::move(done));
  });
  if (!answer.ok()) return answer.status();
  return std::move(*answer->mutable_process());
}

absl::StatusOr<v1::Session> Host::GetSession(absl::string_view id, CallOptions options) {
  using Response = v1::SessionServiceListResponse;
  v1::SessionServiceListRequest request;
  request.set_session_id(std::string(id));
  absl::StatusOr<Response> answer = Await<Response>([&](Done<Response> done) {
    rep_->link->ListSessions(std::move(request), options, std::move(done));
  });
  if (!answer.ok()) return answer.status();
  // An agent that does not know the field lists all.
  for (v1::Session& session : *answer->mutable_sessions()) {
    if (session.id() == id) return std::move(session);
  }
  return absl::NotFoundError(absl::StrCat("session ", id.substr(0, kShortIdLength), " is over"));
}

void Host::List(v1::ListRequest request, CallOptions options, Done<std::vector<v1::Process>> done) {
  request.clear_page_token();
  std::make_shared<Lister>(rep_->link.get(), std::move(request), options, std::move(done))->Next();
}

absl::StatusOr<std::vector<v1::Process>> Host::List(v1::ListRequest request, CallOptions options) {
  return Await<std::vector<v1::Process>>([&](Done<std::vector<v1::Process>> done) {
    List(std::move(request), options, std::move(done));
  });
}

void Host::Wait(v1::WaitRequest request, CallOptions options, Done<v1::WaitResponse> done) {
  WaitCall::Run(rep_->link.get(), std::move(request), options, std::move(done));
}

absl::StatusOr<v1::WaitResponse> Host::Wait(v1::WaitRequest request, CallOptions options) {
  return Await<v1::WaitResponse>(
      [&](Done<v1::WaitResponse> done) { Wait(std::move(request), options, std::move(done)); });
}

void Host::AcknowledgeOutput(v1::AcknowledgeOutputRequest request, CallOptions options,
                             Done<v1::AcknowledgeOutputResponse> done) {
  Rep* rep = rep_.get();
  rep->link->AcknowledgeOutput(std::move(request), options, std::move(done));
}

absl::Status Host::AcknowledgeOutput(v1::AcknowledgeOutputRequest request, CallOptions options) {
  return Await<v1::AcknowledgeOutputResponse>([&](Done<v1::AcknowledgeOutputResponse> done) {
           AcknowledgeOutput(std::move(request), options, std::move(done));
         })
      .status();
}

void Host::ListSessions(CallOptions options, Done<std::vector<v1::Session>> done) {
  std::make_shared<SessionLister>(rep_->link.get(), options, std::move(done))->Next();
}

absl::StatusOr<std::vector<v1::Session>> Host::ListSessions(CallOptions options) {
  return Await<std::vector<v1::Session>>(
      [&](Done<std::vector<v1::Session>> done) { ListSessions(options, std::move(done)); });
}

}  // namespace shoal
