// The ProcessService of a FakeAgent.
//
// Ownership:     the FakeAgent's Rep.
// Thread-safety: thread-safe.
#ifndef SHOAL_TESTS_SUPPORT_FAKE_PROCESS_SERVICE_H_
#define SHOAL_TESTS_SUPPORT_FAKE_PROCESS_SERVICE_H_

#include <algorithm>
#include <csignal>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/mutex.h"
#include "shoal/v1/error_detail.pb.h"
#include "tests/support/fake_agent_rep.h"
#include "tests/support/fake_output_reader.h"

namespace shoal::testing {

class FakeAgent::Rep::Processes final : public v1::ProcessService::Service {
 public:
  explicit Processes(Rep* rep) : rep_(rep) {}

  grpc::Status Spawn(grpc::ServerContext* context, const v1::SpawnRequest* request,
                     v1::SpawnResponse* response) override {
    SHOAL_FAKE_BEGIN("Spawn", request->request_id());
    {
      MutexLock lock(&rep_->mu);
      rep_->last_spawn_timeout = absl::FromChrono(context->deadline()) - absl::Now();
      if (auto known = rep_->spawns.find(request->request_id()); known != rep_->spawns.end()) {
        *response = known->second;
        response->set_replayed(true);
      } else if (!request->session_id().empty() &&
                 rep_->sessions.count(request->session_id()) == 0) {
        return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "SESSION_EXPIRED: it is over");
      } else {
        FakeProcess& entry = rep_->Spawn(request->spec(), request->session_id(), -1);
        if (entry.process.state() == v1::STATE_FAILED_TO_START) {
          return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION,
                              entry.process.start_failure().message());
        }
        *response->mutable_process() = entry.process;
        rep_->spawns[request->request_id()] = *response;
      }
    }
    return rep_->Answer("Spawn");
  }

  grpc::Status SpawnBatch(grpc::ServerContext*, const v1::SpawnBatchRequest* request,
                          v1::SpawnBatchResponse* response) override {
    SHOAL_FAKE_BEGIN("SpawnBatch", request->request_id());
    {
      MutexLock lock(&rep_->mu);
      rep_->last_batch = *request;
      if (rep_->batches.count(request->request_id()) == 0) {
        v1::SpawnBatchResponse& answer = rep_->batches[request->request_id()];
        const bool ranked = request->has_ranks();
        if (request->specs(0).argv(0) == "silence") return grpc::Status::OK;
        for (int i = 0; i < (ranked ? request->ranks().count() : request->specs_size()); ++i) {
          FakeProcess& entry = rep_->Spawn(request->specs(ranked ? 0 : i), request->session_id(),
                                           ranked ? request->ranks().first_rank() + i : -1);
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
      *response = rep_->batches[request->request_id()];
    }
    return rep_->Answer("SpawnBatch");
  }

  grpc::Status Get(grpc::ServerContext*, const v1::GetRequest* request,
                   v1::GetResponse* response) override {
    SHOAL_FAKE_BEGIN("Get", "");
    MutexLock lock(&rep_->mu);
    v1::Selector selector;
    selector.add_terms(request->selector());
    std::vector<FakeProcess*> found = rep_->Find(selector);
    if (!request->request_id().empty()) {
      found.clear();
      std::string id;
      const auto spawn = rep_->spawns.find(request->request_id());
      if (spawn != rep_->spawns.end()) id = spawn->second.process().id();
      const auto batch = rep_->batches.find(request->request_id());
      const bool is_single = batch != rep_->batches.end() && batch->second.results_size() == 1;
      if (is_single) id = batch->second.results(0).process().id();
      const auto started = rep_->processes.find(id);
      if (started != rep_->processes.end()) found.push_back(&started->second);
    }
    if (found.empty()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such process");
    *response->mutable_process() = found[0]->process;
    if (!request->env_values()) {
      for (std::string& entry : *response->mutable_process()->mutable_spec()->mutable_env()) {
        entry.resize(std::min(entry.size(), entry.find('=')));
      }
    }
    return grpc::Status::OK;
  }

  grpc::Status List(grpc::ServerContext*, const v1::ListRequest* request,
                    v1::ListResponse* response) override {
    SHOAL_FAKE_BEGIN("List", "");
    MutexLock lock(&rep_->mu);
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
    MutexLock lock(&rep_->mu);
    while (true) {
      std::vector<FakeProcess*> found = rep_->Find(request->selector());
      bool all = std::all_of(found.begin(), found.end(),
                             [](FakeProcess* entry) { return IsOver(entry->process); });
      if (rep_->is_stopping || context->IsCancelled()) {
        return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
      }
      if (all || absl::Now() >= end) {
        for (FakeProcess* entry : found) *response->add_processes() = entry->process;
        response->set_timed_out(!all);
        return grpc::Status::OK;
      }
      AwaitNews(rep_->revision);
    }
  }

  grpc::Status Terminate(grpc::ServerContext*, const v1::TerminateRequest* request,
                         v1::TerminateResponse* response) override {
    SHOAL_FAKE_BEGIN("Terminate", request->request_id());
    MutexLock lock(&rep_->mu);
    rep_->last_terminate = *request;
    int signal = request->signal() == 0 ? 15 : request->signal();
    for (FakeProcess* entry : rep_->Find(request->selector())) {
      v1::ProcessResult* result = response->add_results();
      if (!rep_->Admit(entry->process, result)) continue;
      bool dies = signal == 9 || !entry->ignores_term;
      if (!IsOver(entry->process) && dies) {
        rep_->End(*entry, 0, signal, v1::CAUSE_TERMINATED);
        v1::Termination& asked = *entry->process.mutable_termination();
        asked.set_signal(signal);
        *asked.mutable_request_time() = entry->process.exit_time();
      }
      *result->mutable_process() = entry->process;
      if (!IsOver(entry->process)) {
        result->mutable_error()->set_code(4);
        result->mutable_error()->set_message("1 process is left");
      }
    }
    return grpc::Status::OK;
  }

  grpc::Status Signal(grpc::ServerContext*, const v1::SignalRequest* request,
                      v1::SignalResponse* response) override {
    SHOAL_FAKE_BEGIN("Signal", request->request_id());
    MutexLock lock(&rep_->mu);
    rep_->last_signal = *request;
    for (FakeProcess* entry : rep_->Find(request->selector())) {
      v1::ProcessResult* result = response->add_results();
      if (!rep_->Admit(entry->process, result)) continue;
      const bool ends = request->signal() != SIGSTOP && request->signal() != SIGCONT;
      if (ends) rep_->End(*entry, 0, request->signal(), v1::CAUSE_SIGNALED);
      *result->mutable_process() = entry->process;
    }
    return grpc::Status::OK;
  }

  grpc::Status Update(grpc::ServerContext*, const v1::UpdateRequest* request,
                      v1::UpdateResponse* response) override {
    SHOAL_FAKE_BEGIN("Update", request->request_id());
    MutexLock lock(&rep_->mu);
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
    MutexLock lock(&rep_->mu);
    for (FakeProcess* entry : rep_->Find(request->selector())) {
      if (!rep_->Admit(entry->process, response->add_results())) continue;
      rep_->Forget(entry->process.id());
    }
    return grpc::Status::OK;
  }

  grpc::Status AcknowledgeOutput(grpc::ServerContext*, const v1::AcknowledgeOutputRequest* request,
                                 v1::AcknowledgeOutputResponse*) override {
    SHOAL_FAKE_BEGIN("AcknowledgeOutput", "");
    MutexLock lock(&rep_->mu);
    for (const v1::OutputPosition& position : request->positions()) {
      rep_->acknowledged[position.id()] = position.offset();
    }
    return grpc::Status::OK;
  }

  grpc::Status WriteInput(grpc::ServerContext*, const v1::WriteInputRequest* request,
                          v1::WriteInputResponse* response) override {
    SHOAL_FAKE_BEGIN("WriteInput", "");
    {
      MutexLock lock(&rep_->mu);
      v1::Selector selector;
      selector.add_terms(request->selector());
      const std::vector<FakeProcess*> found = rep_->Find(selector);
      if (found.empty()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such process");
      FakeProcess& entry = *found.front();
      if (request->offset() > static_cast<int64_t>(entry.input.size())) {
        return grpc::Status(grpc::StatusCode::OUT_OF_RANGE, "bytes would be left out");
      }
      rep_->TakeInput(*request, &entry);
      const bool wants_more = request->offset() + static_cast<int64_t>(request->data().size()) >
                              static_cast<int64_t>(entry.input.size());
      if (wants_more && (IsOver(entry.process) || entry.process.input().closed())) {
        return InputClosed();
      }
      *response->mutable_position() = entry.process.input();
      response->set_timed_out(wants_more);
    }
    return rep_->Answer("WriteInput");
  }

  // Each message is counted, and can be held, lost and refused, as a call of "StreamInput".
  grpc::Status StreamInput(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::StreamInputResponse, v1::StreamInputRequest>* stream) override {
    v1::StreamInputRequest piece;
    v1::WriteInputRequest request;
    Plan plan = rep_->Break("StreamInput");
    while (stream->Read(&piece)) {
      SHOAL_FAKE_BEGIN("StreamInput", "");
      if (plan.messages-- == 0) return ToWire(plan.status);
      if (!piece.selector().empty()) request.set_selector(piece.selector());
      request.set_offset(piece.offset());
      request.set_data(piece.data());
      request.set_end(piece.end());
      v1::StreamInputResponse response;
      if (grpc::Status kept = KeepAll(context, request, &response); !kept.ok()) return kept;
      if (grpc::Status lost = rep_->Answer("StreamInput"); !lost.ok()) return lost;
      if (!stream->Write(response)) break;
    }
    return grpc::Status::OK;
  }

  grpc::Status ResizeTerminal(grpc::ServerContext*, const v1::ResizeTerminalRequest* request,
                              v1::ResizeTerminalResponse* response) override {
    SHOAL_FAKE_BEGIN("ResizeTerminal", "");
    MutexLock lock(&rep_->mu);
    *response->mutable_size() = request->size();
    return grpc::Status::OK;
  }

  grpc::Status Watch(grpc::ServerContext* context, const v1::WatchRequest* request,
                     grpc::ServerWriter<v1::WatchResponse>* writer) override {
    SHOAL_FAKE_BEGIN("Watch", "");
    Plan plan = rep_->Break("Watch");
    int64_t seen = request->from_revision();
    bool is_synced = seen != 0;
    std::set<std::string> told;
    {
      MutexLock lock(&rep_->mu);
      if (is_synced && seen < rep_->compacted) {
        return grpc::Status(grpc::StatusCode::OUT_OF_RANGE, "the oldest revision kept is newer");
      }
    }
    while (true) {
      std::vector<v1::WatchResponse> news;
      {
        MutexLock lock(&rep_->mu);
        if (rep_->is_stopping || context->IsCancelled()) return Gone();
        std::vector<FakeProcess*> found = rep_->Find(request->selector());
        for (auto& [id, entry] : rep_->processes) {
          bool matches = std::find(found.begin(), found.end(), &entry) != found.end();
          // One that has ceased to match is told of once more.
          if (!matches && told.erase(id) == 0) continue;
          if (matches) told.insert(id);
          if (entry.process.revision() <= seen) continue;
          v1::WatchResponse event;
          *event.mutable_upsert() = entry.process;
          event.set_revision(entry.process.revision());
          news.push_back(event);
        }
        for (const auto& [deleted_at, id] : rep_->deleted) {
          if (!is_synced || deleted_at <= seen) continue;
          v1::WatchResponse event;
          event.set_deleted_id(id);
          event.set_revision(deleted_at);
          news.push_back(event);
        }
        seen = rep_->revision;
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
        if (plan.messages-- == 0) return ToWire(plan.status);
        if (!writer->Write(event)) return Gone();
        rep_->Count(event.has_synced() ? "WatchSynced" : "WatchSent");
      }
    }
  }

  grpc::Status ReadOutput(grpc::ServerContext* context, const v1::ReadOutputRequest* request,
                          grpc::ServerWriter<v1::ReadOutputResponse>* writer) override {
    SHOAL_FAKE_BEGIN("ReadOutput", "");
    Rep::OpenReader open(rep_);
    {
      MutexLock lock(&rep_->mu);
      rep_->last_read = *request;
    }
    const bool may_come = request->follow() && HasGlob(request->selector());
    if (!may_come && !AllTermsAreKnown(request->selector())) {
      return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such process");
    }
    Plan plan = rep_->Break("ReadOutput");
    FakeOutputReader reader(*request, FrameBytes(), ReadsAsBefore());
    while (true) {
      std::vector<v1::ReadOutputResponse> frames;
      bool is_complete = true;
      {
        MutexLock lock(&rep_->mu);
        if (rep_->is_stopping || context->IsCancelled()) return Gone();
        is_complete = !IsFollowing(*request);
        for (FakeProcess* entry : rep_->Find(request->selector())) {
          reader.Collect(*entry);
          if (request->follow() && !IsOver(entry->process)) is_complete = false;
        }
        frames = reader.Take();
        if (frames.empty() && is_complete) return grpc::Status::OK;
        if (frames.empty()) AwaitNews(rep_->revision);
      }
      for (const v1::ReadOutputResponse& frame : frames) {
        if (plan.messages-- == 0) return ToWire(plan.status);
        if (!writer->Write(frame)) return Gone();
      }
    }
  }

 private:
  size_t FrameBytes() {
    MutexLock lock(&rep_->mu);
    return rep_->frame_bytes;
  }
  bool ReadsAsBefore() {
    MutexLock lock(&rep_->mu);
    return rep_->reads_as_before;
  }

  // Waits for room.
  grpc::Status KeepAll(grpc::ServerContext* context, const v1::WriteInputRequest& request,
                       v1::StreamInputResponse* response) {
    const int64_t end = request.offset() + static_cast<int64_t>(request.data().size());
    v1::Selector selector;
    selector.add_terms(request.selector());
    MutexLock lock(&rep_->mu);
    while (true) {
      const int64_t seen = rep_->revision;
      const std::vector<FakeProcess*> found = rep_->Find(selector);
      if (found.empty()) return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such process");
      FakeProcess& entry = *found.front();
      if (request.offset() > static_cast<int64_t>(entry.input.size())) {
        return grpc::Status(grpc::StatusCode::OUT_OF_RANGE, "bytes would be left out");
      }
      if (static_cast<int64_t>(entry.input.size()) < end || request.end()) {
        rep_->TakeInput(request, &entry);
      }
      *response->mutable_position() = entry.process.input();
      if (static_cast<int64_t>(entry.input.size()) >= end) return grpc::Status::OK;
      if (IsOver(entry.process) || entry.process.input().closed()) return InputClosed();
      if (rep_->is_stopping) return Gone();
      if (context->IsCancelled()) return grpc::Status::CANCELLED;
      AwaitNews(std::max(seen, rep_->revision));
    }
  }

  static grpc::Status InputClosed() {
    constexpr char kMessage[] = "it has closed its input";
    v1::ErrorInfo info;
    info.set_reason("INPUT_CLOSED");
    info.set_domain("shoal.dev");
    v1::ErrorDetails details;
    details.set_code(static_cast<int>(grpc::StatusCode::FAILED_PRECONDITION));
    details.set_message(kMessage);
    google::protobuf::Any* any = details.add_details();
    any->set_type_url("type.googleapis.com/google.rpc.ErrorInfo");
    any->set_value(info.SerializeAsString());
    return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, kMessage,
                        details.SerializeAsString());
  }

  static grpc::Status Gone() {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed");
  }

  void AwaitNews(int64_t seen) ABSL_EXCLUSIVE_LOCKS_REQUIRED(rep_->mu) {
    auto has_news = [this, seen]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(rep_->mu) {
      return rep_->is_stopping || rep_->revision != seen;
    };
    rep_->mu.AwaitWithTimeout(has_news, kPoll);
  }

  static bool HasGlob(const v1::Selector& selector) {
    return std::any_of(selector.terms().begin(), selector.terms().end(), [](const auto& term) {
      return term.find_first_of("*?[") != std::string::npos;
    });
  }

  bool AllTermsAreKnown(const v1::Selector& selector) {
    MutexLock lock(&rep_->mu);
    for (const std::string& term : selector.terms()) {
      v1::Selector one;
      one.add_terms(term);
      if (rep_->Find(one).empty()) return false;
    }
    return true;
  }

  // A session may still get processes.
  bool IsFollowing(const v1::ReadOutputRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(rep_->mu) {
    return request.follow() && rep_->sessions.count(request.selector().session_id()) != 0;
  }

  Rep* const rep_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_FAKE_PROCESS_SERVICE_H_
