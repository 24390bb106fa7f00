// What a FakeAgent knows and does, shared by its services.
//
// Ownership:     the FakeAgent's.
// Thread-safety: thread-safe; services lock mu for a whole answer.
#ifndef SHOAL_TESTS_SUPPORT_FAKE_AGENT_REP_H_
#define SHOAL_TESTS_SUPPORT_FAKE_AGENT_REP_H_

#include <fnmatch.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/error_info.h"
#include "common/ids.h"
#include "common/mutex.h"
#include "shoal/v1/blob_service.grpc.pb.h"
#include "shoal/v1/error_detail.pb.h"
#include "shoal/v1/host_service.grpc.pb.h"
#include "shoal/v1/process_service.grpc.pb.h"
#include "shoal/v1/session_service.grpc.pb.h"
#include "tests/support/fake_agent.h"

namespace shoal::testing {

inline constexpr absl::Duration kPoll =
    absl::Milliseconds(2);  // a synchronous handler cannot wait for a cancel

// With the ErrorInfo that the status carries.
inline grpc::Status ToWire(const absl::Status& status) {
  v1::ErrorDetails details;
  if (const absl::optional<absl::Cord> info = status.GetPayload(kErrorInfoUrl); info.has_value()) {
    google::protobuf::Any* any = details.add_details();
    any->set_type_url(kErrorInfoUrl);
    any->set_value(std::string(*info));
  }
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
                      details.SerializeAsString());
}

inline bool IsOver(const v1::Process& process) {
  return process.state() == v1::STATE_EXITED || process.state() == v1::STATE_FAILED_TO_START;
}

struct FakeProcess {
  v1::Process process;
  std::string output[3];                   // stdout, stderr, result
  v1::Gap gaps[3];                         // empty: none
  std::map<int64_t, absl::Time> times[3];  // of what was written from each offset on
  std::string input;
  int64_t input_room = -1;   // beyond `input`; -1: as much as comes
  int64_t input_limit = -1;  // it is closed behind so many bytes; -1: never
  bool is_truncated = false;
  bool is_cat = false;
  bool ignores_term = false;
};

struct Blob {
  std::string bytes;  // as far as they were received
  bool is_whole = false;
};

struct Plan {
  absl::Status status;
  int times = 0;
  int messages = 0;
};

class FakeAgent::Rep final {
 public:
  Rep(const std::string& agent_name, int agent_slots);
  ~Rep();
  void RemoveFiles();

  class Processes;
  class Sessions;
  class Hosts;
  class Blobs;

  // Counts the call; what it is to fail with.
  absl::Status Begin(const std::string& method, const std::string& request_id = "") {
    {
      MutexLock lock(&mu);
      ++calls[method];
      if (!request_id.empty()) request_ids[method].push_back(request_id);
    }
    MutexLock lock(&mu);
    mu.Await([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
      return is_stopping || (!is_frozen && held.count(method) == 0);
    });
    Plan& plan = fail[method];
    if (plan.times == 0) return absl::OkStatus();
    --plan.times;
    return plan.status;
  }
  std::string TokenOf(const std::string& session_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    const int taken = takeovers[session_id];
    return taken == 0 ? "token-" + session_id : absl::StrCat("token-", session_id, "-", taken);
  }
  void Count(const std::string& event) {
    MutexLock lock(&mu);
    ++calls[event];
  }
  grpc::Status Answer(const std::string& method) {
    MutexLock lock(&mu);
    Plan& plan = lose[method];
    if (plan.times == 0) return grpc::Status::OK;
    --plan.times;
    return ToWire(plan.status);
  }
  // How a stream that begins is to end; never, if that is after fewer than no messages.
  Plan Break(const std::string& method) {
    MutexLock lock(&mu);
    std::deque<Plan>& plans = breaks[method];
    while (!plans.empty() && plans.front().times == 0) plans.pop_front();
    if (plans.empty()) return {absl::OkStatus(), 0, -1};
    --plans.front().times;
    return plans.front();
  }

  void Touch(FakeProcess& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    entry.process.set_revision(++revision);
    entry.process.clear_output();
    for (int i = 0; i < 3; ++i) {
      v1::StreamPosition* position = entry.process.add_output();
      position->set_stream(static_cast<v1::StreamKind>(i + 1));
      position->set_end_offset(static_cast<int64_t>(entry.output[i].size()));
    }
  }

  void End(FakeProcess& entry, int code, int signal, v1::Cause cause)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
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

  void Forget(const std::string& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    deleted[++revision] = id;
    processes.erase(id);
  }

  FakeProcess& Spawn(const v1::ProcessSpec& spec, const std::string& session, int rank)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    std::string id = NewId();
    FakeProcess& entry = processes[id];
    v1::Process& process = entry.process;
    process.set_id(id);
    process.set_name(spec.name().empty() ? absl::StrCat("p-", next_pid) : spec.name());
    process.set_pid(next_pid++);
    process.set_host(name);
    process.set_state(v1::STATE_RUNNING);
    *process.mutable_spec() = spec;
    process.set_session_id(session);
    if (rank >= 0) process.set_rank(rank);
    process.mutable_start_time()->set_seconds(absl::ToUnixSeconds(absl::Now()));
    Touch(entry);
    for (const std::string& word : spec.argv()) Step(entry, word);
    return entry;
  }

  void Step(FakeProcess& entry, absl::string_view word) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
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
    } else if (word == "cat") {
      entry.is_cat = true;
    } else if (absl::ConsumePrefix(&word, "close-input:") && absl::SimpleAtoi(word, &number)) {
      entry.input_limit = number;
    }
    Touch(entry);
  }

  // What of the bytes is news, as far as there is room.
  void TakeInput(const v1::WriteInputRequest& request, FakeProcess* entry)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    v1::InputPosition* position = entry->process.mutable_input();
    if (position->closed() || IsOver(entry->process)) return;
    std::string news = request.data();
    news.erase(0,
               std::min(news.size(), entry->input.size() - static_cast<size_t>(request.offset())));
    if (entry->input_room >= 0) {
      news.resize(std::min(news.size(), static_cast<size_t>(entry->input_room)));
      entry->input_room -= static_cast<int64_t>(news.size());
    }
    if (entry->input_limit >= 0) {
      news.resize(
          std::min(news.size(), static_cast<size_t>(entry->input_limit) - entry->input.size()));
      position->set_closed(entry->input.size() + news.size() ==
                           static_cast<size_t>(entry->input_limit));
    }
    entry->input += news;
    const auto kept = static_cast<int64_t>(entry->input.size());
    position->set_kept_offset(kept);
    position->set_fed_offset(kept);
    position->set_taken_offset(kept);
    if (request.end() && request.offset() + static_cast<int64_t>(request.data().size()) == kept) {
      position->set_ended(true);
    }
    if (entry->is_cat) entry->output[0] += news;
    Touch(*entry);
    if (entry->is_cat && position->ended()) End(*entry, 0, 0, v1::CAUSE_EXITED);
  }

  // As the proto says of a Selector, but for ambiguous prefixes.
  static bool IsNamed(const v1::Process& process, const std::string& term) {
    return term == process.id() || fnmatch(term.c_str(), process.name().c_str(), 0) == 0 ||
           (process.has_rank() && process.name() == absl::StrCat(term, ".", process.rank())) ||
           (term.size() >= 4 && absl::StartsWith(process.id(), term));
  }

  std::vector<FakeProcess*> Find(const v1::Selector& selector) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    std::vector<FakeProcess*> found;
    for (auto& [id, entry] : processes) {
      const v1::Process& process = entry.process;
      bool is_named =
          selector.terms().empty() ||
          std::any_of(selector.terms().begin(), selector.terms().end(),
                      [&process](const std::string& term) { return IsNamed(process, term); });
      bool is_labelled = std::all_of(
          selector.labels().begin(), selector.labels().end(), [&process](const auto& label) {
            auto own = process.spec().labels().find(label.first);
            return own != process.spec().labels().end() && own->second == label.second;
          });
      bool is_owned =
          selector.session_id().empty() || process.session_id() == selector.session_id();
      if (is_named && is_labelled && is_owned) found.push_back(&entry);
    }
    return found;
  }

  // Answers for one process of many; false if that is a refusal.
  bool Admit(const v1::Process& process, v1::ProcessResult* result)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    *result->mutable_process() = process;
    auto refusal = refused.find(process.id());
    if (refusal == refused.end()) return true;
    *result->mutable_error() = refusal->second;
    return false;
  }

  // A ReadOutput that is open while this is there.
  class OpenReader {
   public:
    explicit OpenReader(Rep* rep) : rep_(rep) {
      MutexLock lock(&rep_->mu);
      ++rep_->open_readers;
    }
    ~OpenReader() {
      MutexLock lock(&rep_->mu);
      --rep_->open_readers;
    }

   private:
    Rep* const rep_;
  };

  const std::string name;
  const int slots;
  std::string directory;
  std::string socket;

  mutable Mutex mu;
  bool is_stopping ABSL_GUARDED_BY(mu) = false;
  bool is_frozen ABSL_GUARDED_BY(mu) = false;
  std::set<std::string> held ABSL_GUARDED_BY(mu);
  absl::Duration clock_ahead ABSL_GUARDED_BY(mu);
  int64_t revision ABSL_GUARDED_BY(mu) = 1;
  int64_t compacted ABSL_GUARDED_BY(mu) = 0;
  int next_pid ABSL_GUARDED_BY(mu) = 1000;
  size_t frame_bytes ABSL_GUARDED_BY(mu) = 64 << 10;
  std::map<std::string, FakeProcess> processes ABSL_GUARDED_BY(mu);
  std::map<std::string, Blob> blobs ABSL_GUARDED_BY(mu);       // by digest
  std::map<int64_t, std::string> deleted ABSL_GUARDED_BY(mu);  // by revision
  std::map<std::string, v1::SpawnBatchResponse> batches ABSL_GUARDED_BY(mu);
  std::map<std::string, v1::SpawnResponse> spawns ABSL_GUARDED_BY(mu);
  std::set<std::string> sessions ABSL_GUARDED_BY(mu);
  std::set<std::string> unrenewed ABSL_GUARDED_BY(mu);  // of these
  std::map<std::string, int> takeovers ABSL_GUARDED_BY(mu);
  std::map<std::string, int> calls ABSL_GUARDED_BY(mu);
  std::map<std::string, std::vector<std::string>> request_ids ABSL_GUARDED_BY(mu);
  std::map<std::string, Plan> fail ABSL_GUARDED_BY(mu);
  std::map<std::string, std::deque<Plan>> breaks ABSL_GUARDED_BY(mu);
  std::map<std::string, Plan> lose ABSL_GUARDED_BY(mu);
  int open_readers ABSL_GUARDED_BY(mu) = 0;
  std::map<std::string, int64_t> acknowledged ABSL_GUARDED_BY(mu);
  std::map<std::string, v1::RequestError> refused ABSL_GUARDED_BY(mu);
  v1::Host facts ABSL_GUARDED_BY(mu);
  v1::SpawnBatchRequest last_batch ABSL_GUARDED_BY(mu);
  v1::SignalRequest last_signal ABSL_GUARDED_BY(mu);
  v1::TerminateRequest last_terminate ABSL_GUARDED_BY(mu);
  v1::ReadOutputRequest last_read ABSL_GUARDED_BY(mu);
  bool reads_as_before ABSL_GUARDED_BY(mu) = false;
  v1::OpenRequest last_open ABSL_GUARDED_BY(mu);
  v1::CloseRequest last_close ABSL_GUARDED_BY(mu);
  absl::Duration last_spawn_timeout ABSL_GUARDED_BY(mu);

  std::unique_ptr<Processes> process_service;
  std::unique_ptr<Sessions> session_service;
  std::unique_ptr<Hosts> host_service;
  std::unique_ptr<Blobs> blob_service;
  std::unique_ptr<grpc::Server> server;
};

#define SHOAL_FAKE_BEGIN(method, request_id) \
  if (absl::Status failed = rep_->Begin(method, request_id); !failed.ok()) return ToWire(failed)

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_FAKE_AGENT_REP_H_
