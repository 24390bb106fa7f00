#include "tests/support/fake_agent.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/mutex.h"
#include "shoal/v1/metadata.h"
#include "tests/support/fake_agent_rep.h"
#include "tests/support/fake_blob_service.h"
#include "tests/support/fake_process_service.h"

namespace shoal::testing {

class FakeAgent::Rep::Hosts final : public v1::HostService::Service {
 public:
  explicit Hosts(Rep* rep) : rep_(rep) {}
  grpc::Status Get(grpc::ServerContext* context, const v1::HostServiceGetRequest* request,
                   v1::HostServiceGetResponse* response) override {
    SHOAL_FAKE_BEGIN("HostGet", "");
    response->mutable_host()->set_name(rep_->name);
    response->mutable_host()->set_agent_id("agent-" + rep_->name);
    response->mutable_host()->set_boot_id("boot");
    response->mutable_host()->set_slots(rep_->slots);
    response->mutable_host()->set_cores(rep_->slots);
    MutexLock lock(&rep_->mu);
    response->mutable_host()->MergeFrom(rep_->facts);
    context->AddTrailingMetadata(v1::kAgentTimeMetadata,
                                 absl::StrCat(absl::ToUnixMillis(absl::Now() + rep_->clock_ahead)));
    if (!request->checks()) response->mutable_host()->clear_checks();
    return grpc::Status::OK;
  }

 private:
  Rep* const rep_;
};

class FakeAgent::Rep::Sessions final : public v1::SessionService::Service {
 public:
  explicit Sessions(Rep* rep) : rep_(rep) {}

  grpc::Status Open(grpc::ServerContext*, const v1::OpenRequest* request,
                    v1::OpenResponse* response) override {
    SHOAL_FAKE_BEGIN("Open", request->request_id());
    MutexLock lock(&rep_->mu);
    std::string id = NewId();
    rep_->last_open = *request;
    rep_->sessions.insert(id);
    response->mutable_session()->set_id(id);
    response->mutable_session()->set_name(request->name());
    *response->mutable_session()->mutable_ttl() = request->ttl();
    response->set_token(rep_->TokenOf(id));
    response->set_agent_id("agent-" + rep_->name);
    response->set_boot_id("boot");
    return grpc::Status::OK;
  }

  grpc::Status Takeover(grpc::ServerContext*, const v1::TakeoverRequest* request,
                        v1::TakeoverResponse* response) override {
    SHOAL_FAKE_BEGIN("Takeover", request->request_id());
    MutexLock lock(&rep_->mu);
    const std::string& id = request->session_id();
    if (rep_->sessions.count(id) == 0) {
      return grpc::Status(grpc::StatusCode::NOT_FOUND, "session is over");
    }
    rep_->unrenewed.erase(id);
    ++rep_->takeovers[id];
    SetSession(id, response->mutable_session());
    response->set_token(rep_->TokenOf(id));
    return grpc::Status::OK;
  }

  grpc::Status List(grpc::ServerContext*, const v1::SessionServiceListRequest* request,
                    v1::SessionServiceListResponse* response) override {
    SHOAL_FAKE_BEGIN("SessionService.List", "");
    MutexLock lock(&rep_->mu);
    for (const std::string& id : rep_->sessions) {
      const bool is_wanted = request->session_id().empty() || request->session_id() == id;
      if (is_wanted) SetSession(id, response->add_sessions());
    }
    return grpc::Status::OK;
  }

  grpc::Status KeepAlive(grpc::ServerContext*, const v1::KeepAliveRequest* request,
                         v1::KeepAliveResponse*) override {
    SHOAL_FAKE_BEGIN("KeepAlive", "");
    MutexLock lock(&rep_->mu);
    if (rep_->sessions.count(request->session_id()) == 0 ||
        request->token() != rep_->TokenOf(request->session_id())) {
      return grpc::Status(grpc::StatusCode::NOT_FOUND, "session is over");
    }
    return grpc::Status::OK;
  }

  grpc::Status Close(grpc::ServerContext*, const v1::CloseRequest* request,
                     v1::CloseResponse* response) override {
    SHOAL_FAKE_BEGIN("Close", "");
    MutexLock lock(&rep_->mu);
    rep_->last_close = *request;
    rep_->sessions.erase(request->session_id());
    v1::Selector selector;
    selector.set_session_id(request->session_id());
    for (FakeProcess* entry : rep_->Find(selector)) {
      if (IsOver(entry->process) || entry->process.session_id().empty()) continue;
      rep_->End(*entry, 0, 15, v1::CAUSE_SESSION_CLOSED);
      response->set_terminated(response->terminated() + 1);
    }
    return grpc::Status::OK;
  }

 private:
  // Of a TTL of 15 s: renewed just now, or long ago.
  void SetSession(const std::string& id, v1::Session* session)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(rep_->mu) {
    session->set_id(id);
    session->mutable_ttl()->set_seconds(15);
    session->mutable_expires_in()->set_seconds(rep_->unrenewed.count(id) > 0 ? 3 : 14);
  }

  Rep* const rep_;
};

FakeAgent::FakeAgent(const std::string& name, int slots)
    : rep_(std::make_unique<Rep>(name, slots)) {
  Start();
}

FakeAgent::~FakeAgent() { Stop(); }

FakeAgent::Rep::Rep(const std::string& agent_name, int agent_slots)
    : name(agent_name), slots(agent_slots) {
  char made[] = "/tmp/shoal-fake-XXXXXX";
  directory = mkdtemp(made);
  socket = directory + "/shoald.sock";
}

FakeAgent::Rep::~Rep() { RemoveFiles(); }

void FakeAgent::Rep::RemoveFiles() {
  unlink(socket.c_str());
  rmdir(directory.c_str());
}

const std::string& FakeAgent::socket_path() const { return rep_->socket; }
std::string FakeAgent::hosts() const { return "unix:" + rep_->socket; }

void FakeAgent::RemoveFiles() { rep_->RemoveFiles(); }

void FakeAgent::Start() {
  {
    MutexLock lock(&rep_->mu);
    rep_->is_stopping = false;
  }
  rep_->process_service = std::make_unique<Rep::Processes>(rep_.get());
  rep_->session_service = std::make_unique<Rep::Sessions>(rep_.get());
  rep_->host_service = std::make_unique<Rep::Hosts>(rep_.get());
  rep_->blob_service = std::make_unique<Rep::Blobs>(rep_.get());
  grpc::ServerBuilder builder;
  // Else a thread without work delays the shutdown by 10 s.
  builder.SetSyncServerOption(grpc::ServerBuilder::CQ_TIMEOUT_MSEC, 50);
  builder.AddListeningPort(hosts(), grpc::InsecureServerCredentials());
  builder.RegisterService(rep_->process_service.get());
  builder.RegisterService(rep_->session_service.get());
  builder.RegisterService(rep_->host_service.get());
  builder.RegisterService(rep_->blob_service.get());
  rep_->server = builder.BuildAndStart();
}

void FakeAgent::Stop() {
  if (rep_->server == nullptr) return;
  {
    MutexLock lock(&rep_->mu);
    rep_->is_stopping = true;
  }
  rep_->server->Shutdown(std::chrono::system_clock::now());
  rep_->server->Wait();
  rep_->server = nullptr;
}

void FakeAgent::Freeze() {
  MutexLock lock(&rep_->mu);
  rep_->is_frozen = true;
}

void FakeAgent::Thaw() {
  MutexLock lock(&rep_->mu);
  rep_->is_frozen = false;
}

void FakeAgent::Hold(const std::string& method) {
  MutexLock lock(&rep_->mu);
  rep_->held.insert(method);
}

void FakeAgent::Release(const std::string& method) {
  MutexLock lock(&rep_->mu);
  rep_->held.erase(method);
}

void FakeAgent::SetClock(absl::Duration ahead) {
  MutexLock lock(&rep_->mu);
  rep_->clock_ahead = ahead;
}

void FakeAgent::FailNext(const std::string& method, absl::Status status, int times) {
  MutexLock lock(&rep_->mu);
  rep_->fail[method] = {std::move(status), times, 0};
}

void FakeAgent::LoseAnswer(const std::string& method, int times, absl::Status status) {
  MutexLock lock(&rep_->mu);
  rep_->lose[method] = {std::move(status), times, 0};
}

void FakeAgent::BreakAfter(const std::string& method, int messages, int times,
                           absl::Status status) {
  MutexLock lock(&rep_->mu);
  rep_->breaks[method].push_back({std::move(status), times, messages});
}

void FakeAgent::SetFrameBytes(size_t bytes) {
  MutexLock lock(&rep_->mu);
  rep_->frame_bytes = bytes;
}

void FakeAgent::Compact() {
  MutexLock lock(&rep_->mu);
  rep_->compacted = ++rep_->revision;
}

void FakeAgent::SetFacts(v1::Host facts) {
  MutexLock lock(&rep_->mu);
  rep_->facts = std::move(facts);
}

void FakeAgent::Put(v1::Process process, absl::string_view out, absl::string_view err) {
  MutexLock lock(&rep_->mu);
  FakeProcess& entry = rep_->processes[process.id()];
  entry.process = std::move(process);
  entry.output[0] = std::string(out);
  entry.output[1] = std::string(err);
  rep_->Touch(entry);
}

void FakeAgent::Refuse(const std::string& id, int code, const std::string& message) {
  MutexLock lock(&rep_->mu);
  rep_->refused[id].set_code(code);
  rep_->refused[id].set_message(message);
}

void FakeAgent::PutSession(const std::string& id, bool is_renewed) {
  MutexLock lock(&rep_->mu);
  rep_->sessions.insert(id);
  rep_->unrenewed.erase(id);
  if (!is_renewed) rep_->unrenewed.insert(id);
}

void FakeAgent::ExpireSession(const std::string& id) {
  MutexLock lock(&rep_->mu);
  rep_->sessions.erase(id);
  v1::Selector selector;
  selector.set_session_id(id);
  for (FakeProcess* entry : rep_->Find(selector)) {
    if (!IsOver(entry->process)) rep_->End(*entry, 0, 15, v1::CAUSE_SESSION_EXPIRED);
  }
}

void FakeAgent::Write(const std::string& id, v1::StreamKind stream, absl::string_view bytes) {
  MutexLock lock(&rep_->mu);
  FakeProcess& entry = rep_->processes.at(id);
  entry.output[stream - 1].append(bytes.data(), bytes.size());
  rep_->Touch(entry);
}

void FakeAgent::WriteAt(absl::Time time, const std::string& id, v1::StreamKind stream,
                        absl::string_view bytes) {
  {
    MutexLock lock(&rep_->mu);
    FakeProcess& entry = rep_->processes.at(id);
    entry.times[stream - 1][static_cast<int64_t>(entry.output[stream - 1].size())] = time;
  }
  Write(id, stream, bytes);
}

void FakeAgent::SetReadsAsBefore() {
  MutexLock lock(&rep_->mu);
  rep_->reads_as_before = true;
}

void FakeAgent::Exit(const std::string& id, int code) {
  MutexLock lock(&rep_->mu);
  rep_->End(rep_->processes.at(id), code, 0, v1::CAUSE_EXITED);
}

void FakeAgent::Delete(const std::string& id) {
  MutexLock lock(&rep_->mu);
  rep_->Forget(id);
}

void FakeAgent::WriteAndDrop(const std::string& id, v1::StreamKind stream, int64_t bytes,
                             v1::Gap::Reason reason) {
  MutexLock lock(&rep_->mu);
  FakeProcess& entry = rep_->processes.at(id);
  std::string& output = entry.output[stream - 1];
  v1::Gap& gap = entry.gaps[stream - 1];
  gap.set_from(static_cast<int64_t>(output.size()));
  gap.set_to(gap.from() + bytes);
  gap.set_reason(reason);
  output.append(static_cast<size_t>(bytes), '-');
  rep_->Touch(entry);
}

void FakeAgent::ExitTruncated(const std::string& id, int code) {
  {
    MutexLock lock(&rep_->mu);
    rep_->processes.at(id).is_truncated = true;
  }
  Exit(id, code);
}

int FakeAgent::Calls(const std::string& method) const {
  MutexLock lock(&rep_->mu);
  return rep_->calls[method];
}

void FakeAgent::AwaitCalls(const std::string& method, int calls) const {
  MutexLock lock(&rep_->mu);
  auto is_called = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(rep_->mu) {
    return rep_->calls[method] >= calls;
  };
  rep_->mu.Await(is_called);
}

std::vector<std::string> FakeAgent::RequestIds(const std::string& method) const {
  MutexLock lock(&rep_->mu);
  return rep_->request_ids[method];
}

v1::SpawnBatchRequest FakeAgent::last_batch() const {
  MutexLock lock(&rep_->mu);
  return rep_->last_batch;
}

v1::SignalRequest FakeAgent::last_signal() const {
  MutexLock lock(&rep_->mu);
  return rep_->last_signal;
}

v1::TerminateRequest FakeAgent::last_terminate() const {
  MutexLock lock(&rep_->mu);
  return rep_->last_terminate;
}

v1::ReadOutputRequest FakeAgent::last_read() const {
  MutexLock lock(&rep_->mu);
  return rep_->last_read;
}

v1::CloseRequest FakeAgent::last_close() const {
  MutexLock lock(&rep_->mu);
  return rep_->last_close;
}

v1::OpenRequest FakeAgent::last_open() const {
  MutexLock lock(&rep_->mu);
  return rep_->last_open;
}

std::map<std::string, std::string> FakeAgent::blobs() const {
  MutexLock lock(&rep_->mu);
  std::map<std::string, std::string> whole;
  for (const auto& [sha256, blob] : rep_->blobs) {
    if (blob.is_whole) whole[sha256] = blob.bytes;
  }
  return whole;
}

absl::Duration FakeAgent::last_spawn_timeout() const {
  MutexLock lock(&rep_->mu);
  return rep_->last_spawn_timeout;
}

int FakeAgent::open_sessions() const {
  MutexLock lock(&rep_->mu);
  return static_cast<int>(rep_->sessions.size());
}

std::vector<v1::Process> FakeAgent::processes() const {
  MutexLock lock(&rep_->mu);
  std::vector<v1::Process> processes;
  for (const auto& [id, entry] : rep_->processes) processes.push_back(entry.process);
  return processes;
}

int64_t FakeAgent::AwaitNews(int64_t seen) const {
  MutexLock lock(&rep_->mu);
  auto has_news = [this, seen]()
                      ABSL_EXCLUSIVE_LOCKS_REQUIRED(rep_->mu) { return rep_->revision != seen; };
  rep_->mu.Await(has_news);
  return rep_->revision;
}

void FakeAgent::Stir() {
  MutexLock lock(&rep_->mu);
  ++rep_->revision;
}

void FakeAgent::AwaitReaders(int at_most) const {
  MutexLock lock(&rep_->mu);
  auto are_few = [this, at_most]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(rep_->mu) {
    return rep_->open_readers <= at_most;
  };
  rep_->mu.Await(are_few);
}

std::string FakeAgent::InputOf(const std::string& id) const {
  MutexLock lock(&rep_->mu);
  return rep_->processes[id].input;
}

bool FakeAgent::HasInputEnded(const std::string& id) const {
  MutexLock lock(&rep_->mu);
  return rep_->processes[id].process.input().ended();
}

void FakeAgent::SetInputRoom(const std::string& id, int64_t bytes) {
  MutexLock lock(&rep_->mu);
  rep_->processes[id].input_room = bytes;
}

int64_t FakeAgent::acknowledged(const std::string& id) const {
  MutexLock lock(&rep_->mu);
  return rep_->acknowledged[id];
}

}  // namespace shoal::testing
