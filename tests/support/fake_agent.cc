#include "tests/support/fake_agent.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "common/ids.h"
#include "shoal/v1/host_service.grpc.pb.h"
#include "shoal/v1/process_service.grpc.pb.h"
#include "shoal/v1/session_service.grpc.pb.h"

namespace shoal::testing {
namespace {

constexpr absl::Duration kPoll =
    absl::Milliseconds(2);  // a synchronous handler cannot wait for a cancel

grpc::Status ToWire(const absl::Status& status) {
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()));
}

bool IsOver(const v1::Process& process) {
  return process.state() == v1::STATE_EXITED || process.state() == v1::STATE_FAILED_TO_START;
}

struct FakeProcess {
  v1::Process process;
  std::string output[2];
  bool ignores_term = false;
};

struct Plan {
  absl::Status status;
  int times = 0;
  int messages = 0;
};

}  // namespace

class FakeAgent::Rep final {
 public:
  Rep(const std::string& name, int slots) : name_(name), slots_(slots) {
    char directory[] = "/tmp/shoal-fake-XXXXXX";
    directory_ = mkdtemp(directory);
    socket_ = directory_ + "/shoald.sock";
  }
  ~Rep() {
    unlink(socket_.c_str());
    rmdir(directory_.c_str());
  }

  class Processes;
  class Sessions;
  class Hosts;

  // Counts the call; what it is to fail with.
  absl::Status Begin(const std::string& method, const std::string& request_id = "") {
    absl::MutexLock lock(&mu_);
    ++calls_[method];
    if (!request_id.empty()) request_ids_[method].push_back(request_id);
    Plan& plan = fail_[method];
    if (plan.times == 0) return absl::OkStatus();
    --plan.times;
    return plan.status;
  }
  grpc::Status Answer(const std::string& method) {
    absl::MutexLock lock(&mu_);
    int& times = lose_[method];
    if (times == 0) return grpc::Status::OK;
    --times;
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
  }
  int MessagesBeforeBreak(const std::string& method) {
    absl::MutexLock lock(&mu_);
    Plan& plan = break_[method];
    if (plan.times == 0) return -1;
    --plan.times;
    return plan.messages;
  }

  void Touch(FakeProcess& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    entry.process.set_revision(++revision_);
    entry.process.clear_output();
    for (int i = 0; i < 2; ++i) {
      v1::StreamPosition* position = entry.process.add_output();
      position->set_stream(static_cast<v1::StreamKind>(i + 1));
      position->set_end_offset(static_cast<int64_t>(entry.output[i].size()));
    }
  }

  void End(FakeProcess& entry, int code, int signal, v1::Cause cause)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    v1::Process& process = entry.process;
    process.set_state(v1::STATE_EXITED);
    process.mutable_exit()->set_cause(cause);
    if (signal != 0) {
      process.mutable_exit()->set_signal(signal);
    } else {
      process.mutable_exit()->set_code(code);
    }
    process.mutable_exit()->set_stderr_tail(entry.output[1]);
    process.mutable_exit_time()->set_seconds(absl::ToUnixSeconds(absl::Now()));
    process.set_output_complete(true);
    process.set_tree_empty(true);
    Touch(entry);
  }

  FakeProcess& Spawn(const v1::ProcessSpec& spec, const std::string& session, int rank)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    std::string id = NewId();
    FakeProcess& entry = processes_[id];
    v1::Process& process = entry.process;
    process.set_id(id);
    process.set_name(spec.name().empty() ? absl::StrCat("p-", next_pid_) : spec.name());
    process.set_pid(next_pid_++);
    process.set_host(name_);
    process.set_state(v1::STATE_RUNNING);
    *process.mutable_spec() = spec;
    process.set_session_id(session);
    if (rank >= 0) process.set_rank(rank);
    process.mutable_start_time()->set_seconds(absl::ToUnixSeconds(absl::Now()));
    Touch(entry);
    for (const std::string& word : spec.argv()) Step(entry, word);
    return entry;
  }

  void Step(FakeProcess& entry, absl::string_view word) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    int number = 0;
    if (absl::ConsumePrefix(&word, "out:")) {
      entry.output[0].append(word.data(), word.size());
    } else if (absl::ConsumePrefix(&word, "err:")) {
      entry.output[1].append(word.data(), word.size());
    } else if (absl::ConsumePrefix(&word, "fill:") && absl::SimpleAtoi(word, &number)) {
      entry.output[0].append(static_cast<size_t>(number), 'x');
    } else if (absl::ConsumePrefix(&word, "refuse:")) {
      entry.process.set_state(v1::STATE_FAILED_TO_START);
      entry.process.mutable_start_failure()->set_stage("execve");
      entry.process.mutable_start_failure()->set_error_number(2);
      entry.process.mutable_start_failure()->set_message(std::string(word));
    } else if (absl::ConsumePrefix(&word, "exit:") && absl::SimpleAtoi(word, &number)) {
      return End(entry, number, 0, v1::CAUSE_EXITED);
    } else if (absl::ConsumePrefix(&word, "signal:") && absl::SimpleAtoi(word, &number)) {
      return End(entry, 0, number, v1::CAUSE_SIGNALED);
    } else if (word == "ignore-term") {
      entry.ignores_term = true;
    }
    Touch(entry);
  }

  std::vector<FakeProcess*> Find(const v1::Selector& selector) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    std::vector<FakeProcess*> found;
    for (auto& [id, entry] : processes_) {
      bool is_named = selector.terms().empty() ||
                      std::any_of(selector.terms().begin(), selector.terms().end(),
                                  [&](const std::string& term) {
                                    return term == id || term == entry.process.name();
                                  });
      bool is_owned =
          selector.session_id().empty() || entry.process.session_id() == selector.session_id();
      if (is_named && is_owned) found.push_back(&entry);
    }
    return found;
  }

  const std::string name_;
  const int slots_;
  std::string directory_;
  std::string socket_;

  mutable absl::Mutex mu_;
  bool is_stopping_ ABSL_GUARDED_BY(mu_) = false;
  int64_t revision_ ABSL_GUARDED_BY(mu_) = 1;
  int64_t compacted_ ABSL_GUARDED_BY(mu_) = 0;
  int next_pid_ ABSL_GUARDED_BY(mu_) = 1000;
  size_t frame_bytes_ ABSL_GUARDED_BY(mu_) = 64 << 10;
  std::map<std::string, FakeProcess> processes_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, v1::SpawnBatchResponse> batches_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, v1::SpawnResponse> spawns_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> sessions_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int> calls_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::vector<std::string>> request_ids_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Plan> fail_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, Plan> break_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int> lose_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, int64_t> acknowledged_ ABSL_GUARDED_BY(mu_);
  v1::SpawnBatchRequest last_batch_ ABSL_GUARDED_BY(mu_);

  std::unique_ptr<Processes> process_service_;
  std::unique_ptr<Sessions> session_service_;
  std::unique_ptr<Hosts> host_service_;
  std::unique_ptr<grpc::Server> server_;
};

#define SHOAL_FAKE_BEGIN(method, request_id) \
  if (absl::Status failed = rep_->Begin(method, request_id); !failed.ok()) return ToWire(failed)

class FakeAgent::Rep::Hosts final : public v1::HostService::Service {
 public:
  explicit Hosts(Rep* rep) : rep_(rep) {}
  grpc::Status Get(grpc::ServerContext*, const v1::HostServiceGetRequest*,
                   v1::HostServiceGetResponse* response) override {
    SHOAL_FAKE_BEGIN("HostGet", "");
    response->mutable_host()->set_name(rep_->name_);
    response->mutable_host()->set_agent_id("agent-" + rep_->name_);
    response->mutable_host()->set_boot_id("boot");
    response->mutable_host()->set_slots(rep_->slots_);
    response->mutable_host()->set_cores(rep_->slots_);
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
    absl::MutexLock lock(&rep_->mu_);
    std::string id = NewId();
    rep_->sessions_.insert(id);
    response->mutable_session()->set_id(id);
    response->mutable_session()->set_name(request->name());
    *response->mutable_session()->mutable_ttl() = request->ttl();
    response->set_token("token-" + id);
    response->set_agent_id("agent-" + rep_->name_);
    response->set_boot_id("boot");
    return grpc::Status::OK;
  }

  grpc::Status KeepAlive(grpc::ServerContext*, const v1::KeepAliveRequest* request,
                         v1::KeepAliveResponse*) override {
    SHOAL_FAKE_BEGIN("KeepAlive", "");
    absl::MutexLock lock(&rep_->mu_);
    if (rep_->sessions_.count(request->session_id()) == 0 ||
        request->token() != "token-" + request->session_id()) {
      return grpc::Status(grpc::StatusCode::NOT_FOUND, "session is over");
    }
    return grpc::Status::OK;
  }

  grpc::Status Close(grpc::ServerContext*, const v1::CloseRequest* request,
                     v1::CloseResponse* response) override {
    SHOAL_FAKE_BEGIN("Close", "");
    absl::MutexLock lock(&rep_->mu_);
    rep_->sessions_.erase(request->session_id());
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
  Rep* const rep_;
};

class FakeAgent::Rep::Processes final : public v1::ProcessService::Service {
 public:
  explicit Processes(Rep* rep) : rep_(rep) {}

  grpc::Status Spawn(grpc::ServerContext*, const v1::SpawnRequest* request,
                     v1::SpawnResponse* response) override {
    SHOAL_FAKE_BEGIN("Spawn", request->request_id());
    {
      absl::MutexLock lock(&rep_->mu_);
      if (auto known = rep_->spawns_.find(request->request_id()); known != rep_->spawns_.end()) {
        *response = known->second;
        response->set_replayed(true);
      } else {
        FakeProcess& entry = rep_->Spawn(request->spec(), request->session_id(), -1);
        if (entry.process.state() == v1::STATE_FAILED_TO_START) {
          return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION,
                              entry.process.start_failure().message());
        }
        *response->mutable_process() = entry.process;
        rep_->spawns_[request->request_id()] = *response;
      }
    }
    return rep_->Answer("Spawn");
  }

  grpc::Status SpawnBatch(grpc::ServerContext*, const v1::SpawnBatchRequest* request,
                          v1::SpawnBatchResponse* response) override {
    SHOAL_FAKE_BEGIN("SpawnBatch", request->request_id());
    {
      absl::MutexLock lock(&rep_->mu_);
      rep_->last_batch_ = *request;
      if (rep_->batches_.count(request->request_id()) == 0) {
        v1::SpawnBatchResponse& answer = rep_->batches_[request->request_id()];
        for (int i = 0; i < request->ranks().count(); ++i) {
          FakeProcess& entry = rep_->Spawn(request->specs(0), request->session_id(),
                                           request->ranks().first_rank() + i);
          v1::SpawnBatchResponse::Result* result = answer.add_results();
          if (entry.process.state() == v1::STATE_FAILED_TO_START) {
            result->mutable_error()->set_code(9);
            result->mutable_error()->set_message(entry.process.start_failure().message());
            *result->mutable_error()->mutable_start_failure() = entry.process.start_failure();
          } else {
            *result->mutable_process() = entry.process;
          }
        }
      }
      *response = rep_->batches_[request->request_id()];
    }
    return rep_->Answer("SpawnBatch");
  }

  grpc::Status Get(grpc::ServerContext*, const v1::GetRequest* request,
                   v1::GetResponse* response) override {
    SHOAL_FAKE_BEGIN("Get", "");
    absl::MutexLock lock(&rep_->mu_);
    v1::Selector selector;
    selector.add_terms(request->selector());
    std::vector<FakeProcess*> found = rep_->Find(selector);
    if (found.empty()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such process");
    *response->mutable_process() = found[0]->process;
    return grpc::Status::OK;
  }

  grpc::Status List(grpc::ServerContext*, const v1::ListRequest* request,
                    v1::ListResponse* response) override {
    SHOAL_FAKE_BEGIN("List", "");
    absl::MutexLock lock(&rep_->mu_);
    int limit = request->page_size() == 0 ? 1000 : request->page_size();
    std::vector<FakeProcess*> found = rep_->Find(request->selector());
    std::sort(found.begin(), found.end(), [](const FakeProcess* a, const FakeProcess* b) {
      return a->process.id() < b->process.id();
    });
    for (FakeProcess* entry : found) {
      if (entry->process.id() <= request->page_token()) continue;
      if (response->processes_size() == limit) {
        response->set_next_page_token(response->processes(limit - 1).id());
        break;
      }
      *response->add_processes() = entry->process;
    }
    return grpc::Status::OK;
  }

  grpc::Status Wait(grpc::ServerContext* context, const v1::WaitRequest* request,
                    v1::WaitResponse* response) override {
    SHOAL_FAKE_BEGIN("Wait", "");
    absl::Time end = absl::Now() + absl::Seconds(request->timeout().seconds()) +
                     absl::Nanoseconds(request->timeout().nanos());
    absl::MutexLock lock(&rep_->mu_);
    while (true) {
      std::vector<FakeProcess*> found = rep_->Find(request->selector());
      bool all = std::all_of(found.begin(), found.end(),
                             [](FakeProcess* entry) { return IsOver(entry->process); });
      if (rep_->is_stopping_ || context->IsCancelled()) {
        return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
      }
      if (all || absl::Now() >= end) {
        for (FakeProcess* entry : found) *response->add_processes() = entry->process;
        response->set_timed_out(!all);
        return grpc::Status::OK;
      }
      AwaitNews(rep_->revision_);
    }
  }

  grpc::Status Terminate(grpc::ServerContext*, const v1::TerminateRequest* request,
                         v1::TerminateResponse* response) override {
    SHOAL_FAKE_BEGIN("Terminate", request->request_id());
    absl::MutexLock lock(&rep_->mu_);
    int signal = request->signal() == 0 ? 15 : request->signal();
    for (FakeProcess* entry : rep_->Find(request->selector())) {
      bool dies = signal == 9 || !entry->ignores_term;
      if (!IsOver(entry->process) && dies) rep_->End(*entry, 0, signal, v1::CAUSE_TERMINATED);
      v1::ProcessResult* result = response->add_results();
      *result->mutable_process() = entry->process;
      if (!IsOver(entry->process)) {
        result->mutable_error()->set_code(4);
        result->mutable_error()->set_message("1 process is left");
      }
    }
    return grpc::Status::OK;
  }

  grpc::Status Update(grpc::ServerContext*, const v1::UpdateRequest* request,
                      v1::UpdateResponse* response) override {
    SHOAL_FAKE_BEGIN("Update", request->request_id());
    absl::MutexLock lock(&rep_->mu_);
    for (FakeProcess* entry : rep_->Find(request->selector())) {
      if (request->lifetime() == v1::LIFETIME_DETACHED) entry->process.clear_session_id();
      rep_->Touch(*entry);
      *response->add_results()->mutable_process() = entry->process;
    }
    return grpc::Status::OK;
  }

  grpc::Status Delete(grpc::ServerContext*, const v1::DeleteRequest* request,
                      v1::DeleteResponse* response) override {
    SHOAL_FAKE_BEGIN("Delete", request->request_id());
    absl::MutexLock lock(&rep_->mu_);
    for (FakeProcess* entry : rep_->Find(request->selector())) {
      *response->add_results()->mutable_process() = entry->process;
      rep_->processes_.erase(entry->process.id());
    }
    return grpc::Status::OK;
  }

  grpc::Status AcknowledgeOutput(grpc::ServerContext*, const v1::AcknowledgeOutputRequest* request,
                                 v1::AcknowledgeOutputResponse*) override {
    SHOAL_FAKE_BEGIN("AcknowledgeOutput", "");
    absl::MutexLock lock(&rep_->mu_);
    for (const v1::OutputPosition& position : request->positions()) {
      rep_->acknowledged_[position.id()] = position.offset();
    }
    return grpc::Status::OK;
  }

  grpc::Status Watch(grpc::ServerContext* context, const v1::WatchRequest* request,
                     grpc::ServerWriter<v1::WatchResponse>* writer) override {
    SHOAL_FAKE_BEGIN("Watch", "");
    int left = rep_->MessagesBeforeBreak("Watch");
    int64_t seen = request->from_revision();
    bool is_synced = seen != 0;
    {
      absl::MutexLock lock(&rep_->mu_);
      if (is_synced && seen < rep_->compacted_) {
        return grpc::Status(grpc::StatusCode::OUT_OF_RANGE, "the oldest revision kept is newer");
      }
    }
    while (true) {
      std::vector<v1::WatchResponse> news;
      {
        absl::MutexLock lock(&rep_->mu_);
        if (rep_->is_stopping_ || context->IsCancelled()) return Gone();
        for (FakeProcess* entry : rep_->Find(request->selector())) {
          if (entry->process.revision() <= seen) continue;
          v1::WatchResponse event;
          *event.mutable_upsert() = entry->process;
          event.set_revision(entry->process.revision());
          news.push_back(event);
        }
        seen = rep_->revision_;
        if (!is_synced) {
          v1::WatchResponse event;
          event.mutable_synced();
          event.set_revision(seen);
          news.push_back(event);
          is_synced = true;
        }
        std::stable_sort(news.begin(), news.end(),
                         [](const auto& a, const auto& b) { return a.revision() < b.revision(); });
        if (news.empty()) AwaitNews(seen);
      }
      for (const v1::WatchResponse& event : news) {
        if (left-- == 0) return Gone();
        if (!writer->Write(event)) return Gone();
      }
    }
  }

  grpc::Status ReadOutput(grpc::ServerContext* context, const v1::ReadOutputRequest* request,
                          grpc::ServerWriter<v1::ReadOutputResponse>* writer) override {
    SHOAL_FAKE_BEGIN("ReadOutput", "");
    int left = rep_->MessagesBeforeBreak("ReadOutput");
    std::map<std::pair<std::string, int>, int64_t> offsets;
    std::set<std::pair<std::string, int>> ended;
    for (const v1::OutputPosition& position : request->resume()) {
      offsets[{position.id(), position.stream()}] = position.offset();
    }
    while (true) {
      std::vector<v1::ReadOutputResponse> frames;
      bool is_complete = true;
      {
        absl::MutexLock lock(&rep_->mu_);
        if (rep_->is_stopping_ || context->IsCancelled()) return Gone();
        is_complete = !IsFollowing(*request);
        for (FakeProcess* entry : rep_->Find(request->selector())) {
          Collect(*entry, *request, &offsets, &ended, &frames);
          if (request->follow() && !IsOver(entry->process)) is_complete = false;
        }
        if (frames.empty() && is_complete) return grpc::Status::OK;
        if (frames.empty()) AwaitNews(rep_->revision_);
      }
      for (const v1::ReadOutputResponse& frame : frames) {
        if (left-- == 0) return Gone();
        if (!writer->Write(frame)) return Gone();
      }
    }
  }

 private:
  static grpc::Status Gone() {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
  }

  void AwaitNews(int64_t seen) ABSL_EXCLUSIVE_LOCKS_REQUIRED(rep_->mu_) {
    auto has_news = [this, seen]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(rep_->mu_) {
      return rep_->is_stopping_ || rep_->revision_ != seen;
    };
    rep_->mu_.AwaitWithTimeout(absl::Condition(&has_news), kPoll);
  }

  // A session may still get processes.
  bool IsFollowing(const v1::ReadOutputRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(rep_->mu_) {
    return request.follow() && rep_->sessions_.count(request.selector().session_id()) != 0;
  }

  void Collect(const FakeProcess& entry, const v1::ReadOutputRequest& request,
               std::map<std::pair<std::string, int>, int64_t>* offsets,
               std::set<std::pair<std::string, int>>* ended,
               std::vector<v1::ReadOutputResponse>* frames)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(rep_->mu_) {
    for (int i = 0; i < 2; ++i) {
      auto kind = static_cast<v1::StreamKind>(i + 1);
      if (!request.streams().empty() &&
          std::find(request.streams().begin(), request.streams().end(), kind) ==
              request.streams().end()) {
        continue;
      }
      int64_t& offset = (*offsets)[{entry.process.id(), kind}];
      auto size = static_cast<int64_t>(entry.output[i].size());
      for (; offset < size;) {
        v1::ReadOutputResponse frame;
        frame.set_id(entry.process.id());
        frame.set_stream(kind);
        frame.set_offset(offset);
        frame.set_data(entry.output[i].substr(static_cast<size_t>(offset), rep_->frame_bytes_));
        offset += static_cast<int64_t>(frame.data().size());
        frames->push_back(std::move(frame));
      }
      if (!IsOver(entry.process) || !ended->insert({entry.process.id(), kind}).second) continue;
      v1::ReadOutputResponse end;
      end.set_id(entry.process.id());
      end.set_stream(kind);
      end.set_offset(offset);
      end.mutable_end();
      frames->push_back(std::move(end));
    }
  }

  Rep* const rep_;
};

FakeAgent::FakeAgent(const std::string& name, int slots)
    : rep_(std::make_unique<Rep>(name, slots)) {
  Start();
}

FakeAgent::~FakeAgent() { Stop(); }

const std::string& FakeAgent::socket_path() const { return rep_->socket_; }
std::string FakeAgent::hosts() const { return "unix:" + rep_->socket_; }

void FakeAgent::Start() {
  {
    absl::MutexLock lock(&rep_->mu_);
    rep_->is_stopping_ = false;
  }
  rep_->process_service_ = std::make_unique<Rep::Processes>(rep_.get());
  rep_->session_service_ = std::make_unique<Rep::Sessions>(rep_.get());
  rep_->host_service_ = std::make_unique<Rep::Hosts>(rep_.get());
  grpc::ServerBuilder builder;
  // Else a thread without work delays the shutdown by 10 s.
  builder.SetSyncServerOption(grpc::ServerBuilder::CQ_TIMEOUT_MSEC, 50);
  builder.AddListeningPort(hosts(), grpc::InsecureServerCredentials());
  builder.RegisterService(rep_->process_service_.get());
  builder.RegisterService(rep_->session_service_.get());
  builder.RegisterService(rep_->host_service_.get());
  rep_->server_ = builder.BuildAndStart();
}

void FakeAgent::Stop() {
  if (rep_->server_ == nullptr) return;
  {
    absl::MutexLock lock(&rep_->mu_);
    rep_->is_stopping_ = true;
  }
  rep_->server_->Shutdown(std::chrono::system_clock::now());
  rep_->server_->Wait();
  rep_->server_ = nullptr;
}

void FakeAgent::FailNext(const std::string& method, absl::Status status, int times) {
  absl::MutexLock lock(&rep_->mu_);
  rep_->fail_[method] = {std::move(status), times, 0};
}

void FakeAgent::LoseAnswer(const std::string& method, int times) {
  absl::MutexLock lock(&rep_->mu_);
  rep_->lose_[method] = times;
}

void FakeAgent::BreakAfter(const std::string& method, int messages, int times) {
  absl::MutexLock lock(&rep_->mu_);
  rep_->break_[method] = {absl::OkStatus(), times, messages};
}

void FakeAgent::SetFrameBytes(size_t bytes) {
  absl::MutexLock lock(&rep_->mu_);
  rep_->frame_bytes_ = bytes;
}

void FakeAgent::Compact() {
  absl::MutexLock lock(&rep_->mu_);
  rep_->compacted_ = ++rep_->revision_;
}

void FakeAgent::ExpireSession(const std::string& id) {
  absl::MutexLock lock(&rep_->mu_);
  rep_->sessions_.erase(id);
  v1::Selector selector;
  selector.set_session_id(id);
  for (FakeProcess* entry : rep_->Find(selector)) {
    if (!IsOver(entry->process)) rep_->End(*entry, 0, 15, v1::CAUSE_SESSION_EXPIRED);
  }
}

void FakeAgent::Write(const std::string& id, v1::StreamKind stream, absl::string_view bytes) {
  absl::MutexLock lock(&rep_->mu_);
  FakeProcess& entry = rep_->processes_.at(id);
  entry.output[stream - 1].append(bytes.data(), bytes.size());
  rep_->Touch(entry);
}

void FakeAgent::Exit(const std::string& id, int code) {
  absl::MutexLock lock(&rep_->mu_);
  rep_->End(rep_->processes_.at(id), code, 0, v1::CAUSE_EXITED);
}

int FakeAgent::Calls(const std::string& method) const {
  absl::MutexLock lock(&rep_->mu_);
  return rep_->calls_[method];
}

std::vector<std::string> FakeAgent::RequestIds(const std::string& method) const {
  absl::MutexLock lock(&rep_->mu_);
  return rep_->request_ids_[method];
}

v1::SpawnBatchRequest FakeAgent::last_batch() const {
  absl::MutexLock lock(&rep_->mu_);
  return rep_->last_batch_;
}

int FakeAgent::open_sessions() const {
  absl::MutexLock lock(&rep_->mu_);
  return static_cast<int>(rep_->sessions_.size());
}

std::vector<v1::Process> FakeAgent::processes() const {
  absl::MutexLock lock(&rep_->mu_);
  std::vector<v1::Process> processes;
  for (const auto& [id, entry] : rep_->processes_) processes.push_back(entry.process);
  return processes;
}

int64_t FakeAgent::acknowledged(const std::string& id) const {
  absl::MutexLock lock(&rep_->mu_);
  return rep_->acknowledged_[id];
}

}  // namespace shoal::testing
