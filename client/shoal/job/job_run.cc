#include "shoal/job/job_run.h"

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <optional>
#include <utility>

#include "common/boot_time.h"
#include "common/end_times.h"
#include "common/status.h"
#include "shoal/duration.h"
#include "shoal/error.h"
#include "shoal/job/job_name.h"
#include "shoal/placement.h"

namespace shoal {
namespace {

// Output that may wait here for the sink.
constexpr size_t kQueueBytes = size_t{32} << 20;
// To an interrupt, besides the grace of the ranks: then the job goes on without the host.
constexpr absl::Duration kAnswerTime = absl::Seconds(5);
constexpr absl::Duration kTick = absl::Milliseconds(500);
// For input that was read before the ranks were left to themselves.
constexpr absl::Duration kTimeToPass = absl::Seconds(1);

absl::Duration GraceOf(const v1::ProcessSpec& spec) {
  return spec.has_grace() ? FromProto(spec.grace()) : kDefaultGrace;
}

// The ranks of a job have one name on all its hosts.
JobSpec WithName(JobSpec spec) {
  const bool is_on_several =
      std::count_if(spec.counts.begin(), spec.counts.end(), [](int n) { return n > 0; }) > 1;
  v1::ProcessSpec& process = spec.process;
  if (is_on_several && process.name().empty() && process.argv_size() > 0) {
    process.set_name(MakeJobName(process.argv(0)));
  }
  return spec;
}

// As the agent answers for what is ended before it runs.
v1::SpawnBatchResponse NotStarted(int count) {
  constexpr char kReason[] = "interrupted before it was started";
  v1::SpawnBatchResponse answer;
  for (int i = 0; i < count; ++i) {
    v1::RequestError* error = answer.add_results()->mutable_error();
    error->set_code(static_cast<int>(absl::StatusCode::kCancelled));
    error->set_message(kReason);
    error->mutable_start_failure()->set_error_number(ECANCELED);
    error->mutable_start_failure()->set_message(kReason);
  }
  return answer;
}

}  // namespace

JobRun::JobRun(const Fleet& fleet, JobSpec spec, JobSink* sink)
    : spec_(WithName(std::move(spec))),
      sink_(sink),
      host_names_(NamesOf(fleet)),
      queue_(std::make_shared<Queue>(fleet.hosts().size(), kQueueBytes)),
      hosts_(std::make_shared<JobHosts>(spec_.counts, GraceOf(spec_.process) + kAnswerTime,
                                        MakeHostsObserver())),
      input_(MakeInput()),
      members_(fleet.hosts().size()),
      ranks_(RanksOf(spec_.counts, host_names_)),
      state_(host_names_, spec_, sink) {
  for (size_t i = 0; i < members_.size(); ++i) {
    members_[i].index = static_cast<int>(i);
    members_[i].host = fleet.hosts()[i].host;
    if (spec_.counts[i] > 0) active_.push_back(&members_[i]);
  }
}

std::shared_ptr<JobInput> JobRun::MakeInput() {
  if (spec_.input.source == nullptr) return nullptr;
  return std::make_shared<JobInput>(
      spec_.input.source,
      [this, queue = queue_](int rank, const absl::Status& reason) {
        queue->Push([this, rank, reason] { sink_->OnInputLost(rank, reason); });
      },
      spec_.input.writer);
}

// The ranks of this host; after those of the last one the source is read.
void JobRun::Feed(const Member& member, const absl::StatusOr<v1::SpawnBatchResponse>& answer) {
  if (input_ == nullptr) return;
  const int first = std::accumulate(spec_.counts.begin(), spec_.counts.begin() + member.index, 0);
  for (int i = 0; answer.ok() && i < answer->results_size(); ++i) {
    const v1::Process& process = answer->results(i).process();
    if (process.id().empty()) continue;
    if (spec_.input.rank.value_or(first + i) == first + i) {
      input_->Add(first + i, member.host, process.id());
    } else {
      input_->AddEmpty(first + i, member.host, process.id());
    }
  }
  if (--unanswered_starts_ == 0) input_->BeginReading();
}

JobHosts::Observer JobRun::MakeHostsObserver() {
  JobHosts::Observer observer;
  observer.on_silent = [this, queue = queue_](int host, const absl::Status& reason) {
    queue->Push([this, host, reason] { state_.OnHostGone(host, reason); });
  };
  observer.on_not_continued = [this, queue = queue_](int host, const absl::Status& reason) {
    queue->Push([this, host, reason] { sink_->OnNotContinued(host, reason); });
  };
  observer.on_detached = [this, queue = queue_] { queue->Push([this] { is_detached_ = true; }); };
  return observer;
}

std::vector<std::string> JobRun::NamesOf(const Fleet& fleet) {
  std::vector<std::string> names;
  for (const FleetHost& host : fleet.hosts()) names.push_back(host.name());
  return names;
}

absl::StatusOr<JobResult> JobRun::Run() {
  const BootTime begin = BootTime::Now();
  absl::Status opened = OpenSessions();
  if (opened.ok() && state_.is_interrupted()) {
    opened = absl::CancelledError("interrupted before anything was started");
  }
  if (!opened.ok()) {
    CloseUnused();
    return opened;
  }
  sink_->OnOpened(hosts_->Leases());
  unanswered_starts_ = active_.size();
  for (Member* member : active_) {
    Subscribe(*member);
    if (spec_.read_output) SubscribeOutput(*member);
    Spawn(*member);
  }
  Pump([this] { return state_.IsComplete() || is_detached_; });
  const bool is_input_passed =
      input_ == nullptr || !is_detached_ || input_->AwaitPassed(kTimeToPass);
  if (input_ != nullptr) input_->Stop();
  for (Member* member : active_) {
    member->watch->Cancel();
    if (member->output != nullptr) member->output->Cancel();
  }
  JobResult result = state_.Summarize();
  result.detached = is_detached_;
  result.is_input_passed = is_input_passed;
  if (is_detached_) {
    CloseUnused();
  } else {
    CloseSessions(&result);
  }
  for (Member* member : active_) {
    member->watch.reset();
    member->output.reset();
  }
  result.elapsed = BootTime::Now() - begin;
  return result;
}

// Returns early at an interrupt: with nothing started, there is nothing to wait for.
absl::Status JobRun::OpenSessions() {
  auto opening = std::make_shared<Opening>(active_.size());
  CallOptions call;
  call.timeout = spec_.open_timeout;
  for (Member* member : active_) {
    SessionOptions options;
    options.name = spec_.session_name;
    options.ttl = spec_.session_ttl;
    options.on_lost = [this, queue = queue_, member](const absl::Status& reason) {
      queue->Push([this, member, reason] { OnSessionOver(*member, reason); });
    };
    options.on_silence = [this, queue = queue_, member](absl::Duration silence) {
      queue->Push([this, member, silence] { state_.OnSilence(member->index, silence); });
    };
    Session::Open(
        member->host, std::move(options), call,
        [this, queue = queue_, member, opening](absl::StatusOr<std::unique_ptr<Session>> session) {
          MutexLock lock(&opening->mu);
          if (opening->is_over) return CloseLate(std::move(session));
          queue->Push([this, member, opening, session = std::move(session)]() mutable {
            --opening->unanswered;
            member->status = session.status();
            if (!session.ok()) return;
            member->session = *std::move(session);
            hosts_->Add(member->index, {member->host, member->session->id(),
                                        member->session->token(), member->session->ttl()});
            state_.SetClock(member->index, member->host->ReadClock());
          });
        });
  }
  Pump([&] { return opening->unanswered == 0 || state_.is_interrupted(); });
  {
    MutexLock lock(&opening->mu);
    opening->is_over = true;
  }
  TakeIn(absl::ZeroDuration());
  for (Member* member : active_) {
    if (!member->status.ok()) return member->status;
  }
  return absl::OkStatus();
}

std::vector<JobRefusal> JobRun::Unopened() const {
  std::vector<JobRefusal> refusals;
  for (const Member* member : active_) {
    if (!member->status.ok()) refusals.push_back({member->index, member->status});
  }
  return refusals;
}

// The job no longer waited for the host: no caller has the session, and the agent would keep it until its lease lapses.
void JobRun::CloseLate(absl::StatusOr<std::unique_ptr<Session>> late) {
  if (!late.ok()) return;
  Session* session = late->get();
  session->Close(Session::CloseOptions(),
                 [late = *std::move(late)](const absl::StatusOr<v1::CloseResponse>&) {});
}

// Nothing was started, or what was started no longer belongs to the sessions.
void JobRun::CloseUnused() {
  auto unanswered = std::make_shared<int>(0);
  for (Member* member : active_) {
    if (member->session == nullptr) continue;
    // What could not be made DETACHED has the TTL of its session.
    if (is_detached_ && !hosts_->detach_status(member->index).ok()) continue;
    ++*unanswered;
    Session::CloseOptions options;
    options.forget = false;
    member->session->Close(options,
                           [queue = queue_, unanswered](const absl::StatusOr<v1::CloseResponse>&) {
                             queue->Push([unanswered] { --*unanswered; });
                           });
  }
  Pump([&] { return *unanswered == 0 || state_.is_interrupted(); });
}

void JobRun::Subscribe(Member& member) {
  v1::WatchRequest request;
  *request.mutable_selector() = SelectSession(member.session->id());
  int index = member.index;
  WatchObserver observer;
  observer.on_event = [this, queue = queue_, hosts = hosts_, &member](v1::WatchResponse&& event) {
    if (event.has_upsert()) {
      hosts->OnProcess(member.index, event.upsert());
      queue->Push([this, &member, process = std::move(*event.mutable_upsert())] {
        if (process.exit().cause() == v1::CAUSE_SESSION_EXPIRED) {
          state_.OnLapse(member.index, member.session->pause());
        }
        state_.OnProcess(member.index, process);
      });
    }
    return Flow::kGoOn;
  };
  observer.on_connection = [this, queue = queue_, index](const absl::Status& status) {
    queue->Push([this, index, status] { state_.OnConnection(index, status); });
  };
  observer.on_end = [this, queue = queue_, index](const absl::Status& status) {
    if (absl::IsCancelled(status)) return;
    absl::Status reason =
        status.ok() ? absl::UnavailableError("the agent ended the watch of the session") : status;
    queue->Push([this, index, reason] { state_.OnHostGone(index, reason); });
  };
  member.watch = member.host->Watch(std::move(request), std::move(observer),
                                    WatchOptions{spec_.host_patience});
}

void JobRun::SubscribeOutput(Member& member) {
  v1::ReadOutputRequest request;
  *request.mutable_selector() = SelectSession(member.session->id());
  request.set_follow(true);
  int index = member.index;
  OutputObserver observer;
  observer.on_frame = [this, queue = queue_, index](v1::ReadOutputResponse&& frame) {
    size_t bytes = frame.data().size();
    return queue->Push(static_cast<size_t>(index), bytes,
                       [this, index, frame = std::move(frame)]() mutable {
                         state_.OnFrame(index, std::move(frame));
                       });
  };
  // What comes behind a broken connection is behind the news of that, too. That it broke the watch tells.
  observer.on_connection = [this, queue = queue_, index](const absl::Status& status) {
    if (status.ok()) queue->Push([this, index, status] { state_.OnConnection(index, status); });
  };
  observer.on_end = [this, queue = queue_, index](const absl::Status& status) {
    if (absl::IsCancelled(status)) return;
    queue->Push([this, index, status] { state_.OnOutputEnd(index, status); });
  };
  ReadOutputOptions options;
  options.patience = spec_.host_patience;
  member.output = member.host->ReadOutput(std::move(request), std::move(observer), options);
}

void JobRun::Spawn(Member& member) {
  const int index = member.index;
  if (!hosts_->BeginStart(index)) {
    queue_->Push([this, index] {
      state_.OnSpawned(index, NotStarted(spec_.counts[static_cast<size_t>(index)]));
    });
    return;
  }
  v1::SpawnBatchRequest request;
  *request.add_specs() = spec_.process;
  if (input_ != nullptr) request.mutable_specs(0)->mutable_input()->mutable_stream();
  *request.mutable_ranks() = std::move(ranks_[static_cast<size_t>(index)]);
  request.set_session_id(member.session->id());
  CallOptions options;
  options.timeout = SpawnTimeoutOf(spec_.process);
  options.patience = spec_.host_patience;
  member.host->SpawnBatch(
      std::move(request), options,
      [this, queue = queue_, hosts = hosts_, index](absl::StatusOr<v1::SpawnBatchResponse> answer) {
        hosts->OnStartAnswered(index, answer);
        queue->Push([this, index, answer = std::move(answer)] {
          state_.OnSpawned(index, answer);
          Feed(members_[static_cast<size_t>(index)], answer);
        });
      });
}

void JobRun::Pump(const std::function<bool()>& is_over) {
  while (!is_over()) TakeIn(kTick);
}

// Acts on what waits in the queue; waits for the first of it for `timeout` at most.
void JobRun::TakeIn(absl::Duration timeout) {
  std::optional<std::vector<Queue::Entry>> events = queue_->TakeFor(timeout);
  if (BootTime::Now() - last_tick_ >= kTick) {
    sink_->OnTick();
    last_tick_ = BootTime::Now();
  }
  if (!events.has_value()) return;
  for (Queue::Entry& event : *events) {
    event.item();
    if (queue_->Taken(event)) members_[*event.source].output->Resume();
  }
  CarryOut();
}

void JobRun::CarryOut() {
  for (JobAction& action : state_.TakeActions()) {
    if (action.kind == JobAction::Kind::kTerminate) {
      hosts_->Terminate(action.host);
      continue;
    }
    members_[static_cast<size_t>(action.host)].host->AcknowledgeOutput(
        std::move(action.acknowledge), CallOptions(),
        [](absl::StatusOr<v1::AcknowledgeOutputResponse>) {
          // What is not acknowledged now is with the next.
        });
  }
}

// The exits of what the agent ended with the session are still there to be had.
void JobRun::OnSessionOver(Member& member, const absl::Status& reason) {
  const std::optional<v1::ErrorInfo> info = ErrorInfoOf(reason);
  if (info.has_value() && info->reason() == "FENCED") {
    member.is_fenced = true;
    return state_.OnFenced(member.index, reason);
  }
  v1::ListRequest request;
  *request.mutable_selector() = SelectSession(member.session->id());
  member.host->List(std::move(request), CallOptions(),
                    [this, queue = queue_, index = member.index,
                     reason](absl::StatusOr<std::vector<v1::Process>> known) {
                      queue->Push([this, index, reason, known = std::move(known)] {
                        state_.OnSessionOver(index, reason, known);
                      });
                    });
}

void JobRun::CloseSessions(JobResult* result) {
  Session::CloseOptions options;
  options.timeout = GraceOf(spec_.process) + kProofTime;
  options.forget = spec_.keep_for <= absl::ZeroDuration() || state_.is_output_read();
  options.forget_after = spec_.keep_for;
  options.keep_descendants = spec_.process.descendants() == v1::DESCENDANT_POLICY_KEEP;
  auto unanswered = std::make_shared<int>(0);
  for (Member* member : active_) {
    if (member->is_fenced) continue;  // it ends for the one that has it
    if (const absl::Status& gone = state_.gone_reason(member->index); !gone.ok()) {
      result->survivors.push_back({member->host->name(), {}, gone});
      continue;
    }
    ++*unanswered;
    member->session->Close(options, [queue = queue_, hosts = hosts_, member, unanswered,
                                     result](absl::StatusOr<v1::CloseResponse> closed) {
      const bool is_empty = closed.ok() && closed->survivor_ids().empty();
      if (is_empty) hosts->OnClosed(member->index);
      queue->Push([member, unanswered, result, is_empty, closed = std::move(closed)] {
        --*unanswered;
        if (closed.ok()) TakeKept(closed->kept_ids(), result);
        if (is_empty) return;
        HostSurvivors survivors{member->host->name(), {}, closed.status()};
        if (closed.ok()) {
          survivors.process_ids.assign(closed->survivor_ids().begin(),
                                       closed->survivor_ids().end());
        }
        result->survivors.push_back(std::move(survivors));
      });
    });
  }
  Pump([&] { return *unanswered == 0; });
}

void JobRun::TakeKept(const google::protobuf::RepeatedPtrField<std::string>& ids,
                      JobResult* result) {
  for (const v1::Process& process : result->processes) {
    if (std::find(ids.begin(), ids.end(), process.id()) != ids.end()) {
      result->kept.push_back(process);
    }
  }
}

// In this order: the state hears of it before anything that comes of it.
void JobRun::Interrupt(int signal) {
  queue_->Push([this] { state_.Interrupt(); });
  hosts_->Interrupt(signal);
}

void JobRun::DropOutput() {
  queue_->Push([this] {
    for (Member* member : active_) {
      if (member->output == nullptr) continue;
      member->output->Cancel();
      state_.OnOutputEnd(member->index, absl::OkStatus());
    }
  });
}

}  // namespace shoal
