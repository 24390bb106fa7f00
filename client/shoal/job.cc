#include "shoal/job.h"

#include <algorithm>
#include <atomic>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "shoal/duration.h"
#include "shoal/event_queue.h"
#include "shoal/job_state.h"
#include "shoal/placement.h"
#include "shoal/session.h"

namespace shoal {
namespace {

// Output that may wait here for the sink: of all hosts, and at least of one.
constexpr size_t kQueueBytes = size_t{32} << 20;
constexpr size_t kLeastHostBytes = size_t{256} << 10;
constexpr size_t kMostHostBytes = size_t{4} << 20;
constexpr int kSigKill = 9;
constexpr absl::Duration kDefaultGrace = absl::Seconds(5);
// After SIGKILL, until the tree is seen empty.
constexpr absl::Duration kProofTime = absl::Seconds(10);

v1::Selector SelectSession(const std::string& id) {
  v1::Selector selector;
  selector.set_session_id(id);
  return selector;
}

}  // namespace

void JobSink::OnStarted(RankId, const v1::Process&) {}
void JobSink::OnOutput(RankId, v1::StreamKind, int64_t, absl::string_view) {}
void JobSink::OnGap(RankId, v1::StreamKind, const v1::Gap&) {}
void JobSink::OnExited(RankId, const v1::Process&) {}
void JobSink::OnComplete(RankId, const v1::Process&) {}
void JobSink::OnFailedToStart(RankId, const v1::RequestError&) {}
void JobSink::OnHostLost(int, const absl::Status&) {}
void JobSink::OnHostRegained(int) {}
void JobSink::OnHalt(bool) {}

class Job::Rep {
 public:
  Rep(const Fleet& fleet, JobSpec spec, JobSink* sink);

  absl::StatusOr<JobResult> Run();
  void Interrupt();
  void Detach();

 private:
  // One that gets ranks; the others have no session.
  struct Member {
    int index = 0;
    std::shared_ptr<Host> host;
    std::unique_ptr<Session> session;
    std::unique_ptr<Subscription> watch;
    std::unique_ptr<Subscription> output;
    absl::Status status;
  };

  static std::vector<std::string> NamesOf(const Fleet& fleet);
  absl::Status OpenSessions();
  void AbandonAll();
  void Subscribe(Member& member);
  void SubscribeOutput(Member& member);
  void Spawn(Member& member);
  void Pump(const std::function<bool()>& is_over);
  void CarryOut();
  void End(Member& member, bool kill);
  void OnSessionOver(Member& member, const absl::Status& reason);
  void DetachIfWanted();
  void CloseSessions(JobResult* result);

  const JobSpec spec_;
  const std::vector<std::string> host_names_;
  const std::shared_ptr<EventQueue> queue_;

  // The thread of Run().
  std::vector<Member> members_;  // by host; `session` only where there are ranks
  std::vector<Member*> active_;
  JobState state_;
  int pending_ = 0;  // answers outstanding in this step
  int unanswered_spawns_ = 0;
  bool is_detach_wanted_ = false;
  bool is_detached_ = false;
};

Job::Rep::Rep(const Fleet& fleet, JobSpec spec, JobSink* sink)
    : spec_(std::move(spec)),
      host_names_(NamesOf(fleet)),
      queue_(std::make_shared<EventQueue>(
          fleet.hosts().size(),
          std::clamp(kQueueBytes / fleet.hosts().size(), kLeastHostBytes, kMostHostBytes))),
      members_(fleet.hosts().size()),
      state_(host_names_, spec_, sink) {
  for (size_t i = 0; i < members_.size(); ++i) {
    members_[i].index = static_cast<int>(i);
    members_[i].host = fleet.hosts()[i].host;
    if (spec_.counts[i] > 0) active_.push_back(&members_[i]);
  }
}

std::vector<std::string> Job::Rep::NamesOf(const Fleet& fleet) {
  std::vector<std::string> names;
  for (const FleetHost& host : fleet.hosts()) names.push_back(host.name());
  return names;
}

absl::StatusOr<JobResult> Job::Rep::Run() {
  absl::Time begin = absl::Now();
  absl::Status opened = OpenSessions();
  if (!opened.ok()) {
    AbandonAll();
    return opened;
  }
  if (state_.is_interrupted()) {
    AbandonAll();
    return absl::CancelledError("interrupted before anything was started");
  }
  for (Member* member : active_) {
    Subscribe(*member);
    if (spec_.read_output) SubscribeOutput(*member);
    Spawn(*member);
  }
  Pump([this] { return state_.IsComplete() || is_detached_; });
  for (Member* member : active_) {
    member->watch->Cancel();
    if (member->output != nullptr) member->output->Cancel();
  }
  JobResult result = state_.Summarize();
  result.detached = is_detached_;
  if (is_detached_) {
    AbandonAll();
  } else {
    CloseSessions(&result);
  }
  for (Member* member : active_) {
    member->watch.reset();
    member->output.reset();
  }
  result.elapsed = absl::Now() - begin;
  return result;
}

absl::Status Job::Rep::OpenSessions() {
  pending_ = static_cast<int>(active_.size());
  for (Member* member : active_) {
    SessionOptions options;
    options.name = spec_.session_name;
    options.ttl = spec_.session_ttl;
    options.on_lost = [this, queue = queue_, member](const absl::Status& reason) {
      queue->Push([this, member, reason] { OnSessionOver(*member, reason); });
    };
    Session::Open(member->host, std::move(options), CallOptions(),
                  [this, queue = queue_, member](absl::StatusOr<std::unique_ptr<Session>> session) {
                    queue->Push([this, member, session = std::move(session)]() mutable {
                      --pending_;
                      member->status = session.status();
                      if (session.ok()) member->session = *std::move(session);
                    });
                  });
  }
  Pump([this] { return pending_ == 0; });
  for (Member* member : active_) {
    if (!member->status.ok()) return member->status;
  }
  return absl::OkStatus();
}

// Nothing was started, or what was started no longer belongs to the sessions.
void Job::Rep::AbandonAll() {
  pending_ = 0;
  for (Member* member : active_) {
    if (member->session == nullptr) continue;
    ++pending_;
    Session::CloseOptions options;
    options.forget = false;
    if (is_detached_ && !member->status.ok()) {
      --pending_;  // what could not be made DETACHED has the TTL of its session
      continue;
    }
    member->session->Close(options, [this, queue = queue_](absl::StatusOr<v1::CloseResponse>) {
      queue->Push([this] { --pending_; });
    });
  }
  Pump([this] { return pending_ == 0; });
}

void Job::Rep::Subscribe(Member& member) {
  v1::WatchRequest request;
  *request.mutable_selector() = SelectSession(member.session->id());
  int index = member.index;
  WatchObserver observer;
  observer.on_event = [this, queue = queue_, index](const v1::WatchResponse& event) {
    if (event.has_upsert()) {
      queue->Push([this, index, process = event.upsert()] { state_.OnProcess(index, process); });
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

void Job::Rep::SubscribeOutput(Member& member) {
  v1::ReadOutputRequest request;
  *request.mutable_selector() = SelectSession(member.session->id());
  request.set_follow(true);
  int index = member.index;
  auto source = static_cast<size_t>(index);
  OutputObserver observer;
  observer.on_frame = [this, queue = queue_, index, source](const v1::ReadOutputResponse& frame) {
    size_t bytes = frame.data().size();
    return queue->Push(source, bytes, [this, index, source, bytes, frame] {
      state_.OnFrame(index, frame);
      if (queue_->Taken(source, bytes)) members_[source].output->Resume();
    });
  };
  observer.on_end = [this, queue = queue_, index](const absl::Status& status) {
    if (absl::IsCancelled(status)) return;
    queue->Push([this, index, status] { state_.OnOutputEnd(index, status); });
  };
  ReadOutputOptions options;
  options.patience = spec_.host_patience;
  member.output = member.host->ReadOutput(std::move(request), std::move(observer), options);
}

void Job::Rep::Spawn(Member& member) {
  v1::SpawnBatchRequest request;
  *request.add_specs() = spec_.process;
  v1::Ranks* ranks = request.mutable_ranks();
  ranks->set_first_rank(state_.first_rank(member.index));
  ranks->set_count(spec_.counts[static_cast<size_t>(member.index)]);
  ranks->set_world_size(state_.world_size());
  auto position = std::find(active_.begin(), active_.end(), &member) - active_.begin();
  ranks->set_host_rank(static_cast<int>(position));
  for (Member* other : active_) ranks->add_hosts(other->host->name());
  request.set_session_id(member.session->id());
  ++unanswered_spawns_;
  CallOptions options;
  options.timeout = SpawnTimeoutOf(spec_.process);
  options.patience = spec_.host_patience;
  member.host->SpawnBatch(
      std::move(request), options,
      [this, queue = queue_, index = member.index](absl::StatusOr<v1::SpawnBatchResponse> answer) {
        queue->Push([this, index, answer = std::move(answer)] {
          --unanswered_spawns_;
          state_.OnSpawned(index, answer);
        });
      });
}

void Job::Rep::Pump(const std::function<bool()>& is_over) {
  while (!is_over()) {
    for (EventQueue::Event& event : queue_->Take()) event();
    CarryOut();
    DetachIfWanted();
  }
}

void Job::Rep::CarryOut() {
  for (JobAction& action : state_.TakeActions()) {
    Member& member = members_[static_cast<size_t>(action.host)];
    if (member.session == nullptr) continue;
    if (action.kind == JobAction::Kind::kAcknowledge) {
      member.host->AcknowledgeOutput(std::move(action.acknowledge), CallOptions(),
                                     [](absl::StatusOr<v1::AcknowledgeOutputResponse>) {
                                       // What is not acknowledged now is with the next.
                                     });
    } else {
      End(member, action.kind == JobAction::Kind::kKill);
    }
  }
}

void Job::Rep::End(Member& member, bool kill) {
  v1::TerminateRequest request;
  *request.mutable_selector() = SelectSession(member.session->id());
  if (kill) {
    request.set_signal(kSigKill);
    *request.mutable_grace() = ToProto(absl::ZeroDuration());
  }
  member.host->Terminate(std::move(request), CallOptions(),
                         [](absl::StatusOr<v1::TerminateResponse>) {
                           // What it did is seen by the watch; what it could not do, by the close.
                         });
}

// The exits of what the agent ended with the session are still there to be had.
void Job::Rep::OnSessionOver(Member& member, const absl::Status& reason) {
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

// Once every spawn is answered, so that none comes after the Update.
void Job::Rep::DetachIfWanted() {
  bool is_spawned = active_[0]->watch != nullptr && unanswered_spawns_ == 0;
  if (!is_detach_wanted_ || !is_spawned || state_.IsComplete()) return;
  is_detach_wanted_ = false;
  auto pending = std::make_shared<int>(static_cast<int>(active_.size()));
  for (Member* member : active_) {
    v1::UpdateRequest request;
    *request.mutable_selector() = SelectSession(member->session->id());
    request.set_lifetime(v1::LIFETIME_DETACHED);
    member->host->Update(
        std::move(request), CallOptions(),
        [this, queue = queue_, member, pending](absl::StatusOr<v1::UpdateResponse> answer) {
          queue->Push([this, member, pending, status = answer.status()] {
            member->status = status;
            if (--*pending == 0) is_detached_ = true;
          });
        });
  }
}

void Job::Rep::CloseSessions(JobResult* result) {
  Session::CloseOptions options;
  absl::Duration grace =
      spec_.process.has_grace() ? FromProto(spec_.process.grace()) : kDefaultGrace;
  options.timeout = grace + kProofTime;
  pending_ = 0;
  for (Member* member : active_) {
    if (const absl::Status& gone = state_.gone_reason(member->index); !gone.ok()) {
      result->survivors.push_back({member->host->name(), {}, gone});
      continue;
    }
    ++pending_;
    member->session->Close(
        options, [this, queue = queue_, member, result](absl::StatusOr<v1::CloseResponse> closed) {
          queue->Push([this, member, result, closed = std::move(closed)] {
            --pending_;
            if (closed.ok() && closed->survivor_ids().empty()) return;
            HostSurvivors survivors{member->host->name(), {}, closed.status()};
            if (closed.ok()) {
              survivors.process_ids.assign(closed->survivor_ids().begin(),
                                           closed->survivor_ids().end());
            }
            result->survivors.push_back(std::move(survivors));
          });
        });
  }
  Pump([this] { return pending_ == 0; });
}

void Job::Rep::Interrupt() {
  queue_->Push([this] { state_.Interrupt(); });
}

void Job::Rep::Detach() {
  queue_->Push([this] { is_detach_wanted_ = true; });
}

absl::StatusOr<std::unique_ptr<Job>> Job::Create(const Fleet& fleet, JobSpec spec, JobSink* sink) {
  if (spec.counts.size() != fleet.hosts().size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "counts for ", spec.counts.size(), " hosts, but the fleet has ", fleet.hosts().size()));
  }
  int64_t total = std::accumulate(spec.counts.begin(), spec.counts.end(), int64_t{0});
  if (std::any_of(spec.counts.begin(), spec.counts.end(), [](int count) { return count < 0; }) ||
      total < 1 || total > kMaxRanks) {
    return absl::InvalidArgumentError(
        absl::StrCat("counts: a job has 1 to ", kMaxRanks, " processes, not ", total));
  }
  if (spec.process.lifetime() == v1::LIFETIME_DETACHED) {
    return absl::InvalidArgumentError("lifetime: the processes of a job belong to its session");
  }
  return std::unique_ptr<Job>(new Job(std::make_unique<Rep>(fleet, std::move(spec), sink)));
}

Job::Job(std::unique_ptr<Rep> rep) : rep_(std::move(rep)) {}
Job::~Job() = default;

absl::StatusOr<JobResult> Job::Run() { return rep_->Run(); }
void Job::Interrupt() { rep_->Interrupt(); }
void Job::Detach() { rep_->Detach(); }

}  // namespace shoal
