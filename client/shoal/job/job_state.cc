#include "shoal/job/job_state.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/time/time.h"
#include "shoal/duration.h"
#include "shoal/job/rank_facts.h"
#include "shoal/link/pulse.h"
#include "shoal/outcome.h"

namespace shoal {

JobState::JobState(std::vector<std::string> host_names, const JobSpec& spec, JobSink* sink)
    : host_names_(std::move(host_names)),
      spec_(spec),
      sink_(sink),
      hosts_(host_names_.size()),
      positions_(AcknowledgeBytesFor(spec.process.output())),
      failures_(host_names_.size()) {
  for (size_t host = 0; host < spec.counts.size(); ++host) {
    first_ranks_.push_back(static_cast<int>(ranks_.size()));
    for (int i = 0; i < spec.counts[host]; ++i) {
      Rank rank;
      rank.host = static_cast<int>(host);
      rank.process.set_host(host_names_[host]);
      rank.process.set_rank(static_cast<int>(ranks_.size()));
      ranks_.push_back(std::move(rank));
    }
  }
}

std::optional<int> JobState::RankOf(int host, const v1::Process& process) const {
  auto known = rank_of_id_.find(process.id());
  if (known != rank_of_id_.end()) return known->second;
  if (!process.has_rank()) return std::nullopt;
  int first = first_rank(host);
  int count = spec_.counts[static_cast<size_t>(host)];
  if (process.rank() < first || process.rank() >= first + count) return std::nullopt;
  return process.rank();
}

void JobState::OnSpawned(int host, const absl::StatusOr<v1::SpawnBatchResponse>& answer) {
  int first = first_rank(host);
  int count = spec_.counts[static_cast<size_t>(host)];
  if (!answer.ok() && IsUncertain(answer.status())) return OnHostGone(host, answer.status());
  for (int i = 0; i < count; ++i) {
    if (!answer.ok()) {
      FailToStart(first + i, ErrorFrom(answer.status()));
    } else if (i >= answer->results_size()) {
      FailToStart(first + i, ErrorFrom(absl::InternalError("the agent did not answer for it")));
    } else if (answer->results(i).has_error()) {
      FailToStart(first + i, answer->results(i).error());
    } else {
      Place(first + i, answer->results(i).process());
    }
  }
}

void JobState::OnProcess(int host, const v1::Process& process) {
  if (std::optional<int> rank = RankOf(host, process)) Place(*rank, process);
}

// Takes in what is newly known of a rank, and tells what of it is news.
void JobState::Place(int number, const v1::Process& process) {
  Rank& rank = RankAt(number);
  rank_of_id_[process.id()] = number;
  if (rank.is_complete) {
    // The stderr tail and the emptiness of the tree may still be news for the summary. The watch may
    // tell what was before a failure that the answer to the start has told, which has no revision.
    if (process.revision() > rank.process.revision() && HasEnded(process)) rank.process = process;
    return;
  }
  // What is told in brief adds nothing to what is known of the same time.
  const bool is_less = process.brief() && process.revision() == rank.process.revision() &&
                       !rank.process.id().empty();
  bool is_older = process.revision() < rank.process.revision() || is_less;
  if (!is_older) {
    rank.process = process;
    rank.process.set_rank(number);
  }
  if (rank.process.state() == v1::STATE_FAILED_TO_START) {
    v1::RequestError error =
        ErrorFrom(absl::FailedPreconditionError(rank.process.start_failure().message()));
    *error.mutable_start_failure() = rank.process.start_failure();
    return FailToStart(number, error);
  }
  if (!rank.is_started && HasStarted(rank.process)) {
    rank.is_started = true;
    sink_->OnStarted(IdOf(number), rank.process);
  }
  const bool is_stalled = rank.process.output_error_number() != 0;
  if (is_stalled && !rank.is_stalled) sink_->OnOutputStalled(IdOf(number), rank.process);
  rank.is_stalled = is_stalled;
  if (HasFlag(rank.process, v1::FLAG_SHIM_STALLED) && !std::exchange(rank.has_told_shim, true)) {
    sink_->OnShimStalled(IdOf(number), rank.process);
  }
  GiveOutWaiting(number);
  if (HasEnded(rank.process)) NoteEnd(number);
  // With a signal they are being ended already, which the summary tells.
  const bool is_waited_for =
      rank.process.has_descendants() && rank.process.descendants().signal() == 0;
  if (rank.has_ended && is_waited_for && !IsTreeDone(rank) &&
      !std::exchange(rank.has_told_descendants, true)) {
    sink_->OnDescendants(IdOf(number), rank.process);
  }
  CompleteIfDone(number);
  CheckHalt();
}

void JobState::OnFrame(int host, v1::ReadOutputResponse frame) {
  static_cast<void>(host);
  auto known = rank_of_id_.find(frame.id());
  const bool is_told = known != rank_of_id_.end() && RankAt(known->second).is_started;
  const bool has_ended = known != rank_of_id_.end() && RankAt(known->second).has_ended;
  if (!is_told && !has_ended) {
    std::vector<v1::ReadOutputResponse>& waiting = unplaced_[frame.id()];
    waiting.push_back(std::move(frame));
    return;
  }
  GiveOut(known->second, frame);
  CompleteIfDone(known->second);
}

// What came before it was told that the rank is there: OnStarted() goes before its output.
void JobState::GiveOutWaiting(int number) {
  Rank& rank = RankAt(number);
  if (!rank.is_started && !HasEnded(rank.process)) return;
  auto waiting = unplaced_.extract(rank.process.id());
  if (waiting.empty()) return;
  if (!std::exchange(rank.is_started, true)) sink_->OnStarted(IdOf(number), rank.process);
  for (const v1::ReadOutputResponse& frame : waiting.mapped()) GiveOut(number, frame);
}

void JobState::GiveOut(int rank, const v1::ReadOutputResponse& frame) {
  if (!positions_.Advance(frame).has_value()) return;
  if (frame.has_gap()) sink_->OnGap(IdOf(rank), frame.stream(), frame.gap());
  if (!frame.has_data()) return;
  sink_->OnOutput(IdOf(rank), frame.stream(), frame.offset(), frame.data());
  JobAction action;
  action.kind = JobAction::Kind::kAcknowledge;
  action.host = RankAt(rank).host;
  if (positions_.TakeDue(frame, &action.acknowledge)) actions_.push_back(std::move(action));
}

void JobState::FailToStart(int number, const v1::RequestError& error) {
  Rank& rank = RankAt(number);
  if (rank.has_ended) return;
  rank.error = error;
  rank.process.set_state(v1::STATE_FAILED_TO_START);
  if (!rank.process.has_start_failure()) {
    *rank.process.mutable_start_failure() = error.start_failure();
    if (error.start_failure().message().empty()) {
      rank.process.mutable_start_failure()->set_message(error.message());
    }
  }
  sink_->OnFailedToStart(IdOf(number), error);
  NoteEnd(number);
  CompleteIfDone(number);
  CheckHalt();
}

// The main process of the rank has ended. Counted once.
void JobState::NoteEnd(int number) {
  Rank& rank = RankAt(number);
  if (std::exchange(rank.has_ended, true)) return;
  ++ended_;
  Count(number);
  if (rank.process.state() != v1::STATE_FAILED_TO_START) {
    sink_->OnExited(IdOf(number), rank.process);
  }
}

void JobState::Count(int number) {
  const Rank& rank = RankAt(number);
  if (is_ending_ && WasEndedOnRequest(rank.process)) {
    ++result_.ended_by_us;  // also with code 0
    if (rank.process.state() == v1::STATE_FAILED_TO_START) ++result_.ended_before_start;
  } else if (Succeeded(rank.process)) {
    ++result_.succeeded;
  } else {
    ++result_.failed;
    if (rank.process.state() == v1::STATE_FAILED_TO_START) ++result_.failed_to_start;
    bool is_known = rank.process.exit().has_code() || rank.process.exit().has_signal() ||
                    rank.process.state() == v1::STATE_FAILED_TO_START;
    if (!is_known) ++result_.unknown;
    failures_.Add(number, rank.host, &rank.process);
  }
  if (!rank.process.has_start_time() || !rank.process.has_exit_time()) return;
  absl::Duration time = FromProto(rank.process.exit_time()) - FromProto(rank.process.start_time());
  if (!result_.slowest.has_value() || time > result_.slowest_time) {
    result_.slowest = IdOf(number);
    result_.slowest_time = time;
  }
}

// Where its shim is gone and there is no cgroup, nothing will prove that the tree is empty.
bool JobState::IsTreeDone(const Rank& rank) const {
  const v1::Process& process = rank.process;
  const bool is_leaked = HasFlag(process, v1::FLAG_LEAKED);
  const bool is_kept = rank.has_ended &&
                       spec_.process.descendants() == v1::DESCENDANT_POLICY_KEEP &&
                       !process.has_termination();
  return process.tree_empty() || is_leaked || is_kept ||
         process.state() == v1::STATE_FAILED_TO_START || process.state() == v1::STATE_LOST ||
         hosts_[static_cast<size_t>(rank.host)].is_gone;
}

// This job has ended it, and what is left of its output has no room on its host: it goes with the
// session.
bool JobState::IsCutShort(const v1::Process& process) const {
  return is_ending_ && process.tree_empty() && process.output_error_number() != 0;
}

bool JobState::IsReadToEnd(const v1::Process& process) const {
  return positions_.HasEnded(process.id(), v1::STREAM_KIND_STDOUT) &&
         positions_.HasEnded(process.id(), v1::STREAM_KIND_STDERR);
}

bool JobState::IsOutputDone(const Rank& rank) const {
  const HostState& host = hosts_[static_cast<size_t>(rank.host)];
  const v1::Process& process = rank.process;
  if (!spec_.read_output || host.is_output_over || host.is_gone ||
      process.state() == v1::STATE_FAILED_TO_START) {
    return true;
  }
  if (IsReadToEnd(process)) return true;
  // What is kept has the streams open; all of the main process is in what was told with its exit.
  const bool is_kept = !process.tree_empty() && IsTreeDone(rank);
  // The output of a LOST process is never known to be complete: what is kept is all there is.
  if (!process.output_complete() && process.state() != v1::STATE_LOST && !IsCutShort(process) &&
      !is_kept) {
    return false;
  }
  return std::all_of(
      process.output().begin(), process.output().end(), [&](const v1::StreamPosition& position) {
        return position.stream() == v1::STREAM_KIND_RESULT ||  // not asked for, so not read
               positions_.OffsetOf(process.id(), position.stream()) >= position.end_offset();
      });
}

bool JobState::is_output_read() const {
  const auto is_read = [&](const v1::Process& process, const v1::StreamPosition& position) {
    return position.stream() == v1::STREAM_KIND_RESULT ||
           positions_.HasEnded(process.id(), position.stream()) ||
           positions_.OffsetOf(process.id(), position.stream()) >= position.end_offset();
  };
  return std::all_of(ranks_.begin(), ranks_.end(), [&](const Rank& rank) {
    return std::all_of(rank.process.output().begin(), rank.process.output().end(),
                       [&](const v1::StreamPosition& at) { return is_read(rank.process, at); });
  });
}

void JobState::CompleteIfDone(int number) {
  Rank& rank = RankAt(number);
  if (rank.is_complete || !rank.has_ended || !IsOutputDone(rank) || !IsTreeDone(rank)) return;
  rank.is_complete = true;
  ++complete_;
  // Its last bytes may come before the word that there was room for them.
  if (IsReadToEnd(rank.process)) rank.process.clear_output_error_number();
  sink_->OnComplete(IdOf(number), rank.process);
}

void JobState::CheckHalt() {
  if (result_.halted || is_ending_ || ended_ == world_size()) return;
  if (!spec_.halt.IsReached(result_.succeeded, result_.failed, world_size())) return;
  result_.halted = true;
  bool now = spec_.halt.when == HaltRule::When::kNow;
  sink_->OnHalt(now);
  if (now) EndAll();
}

void JobState::EndAll() {
  is_ending_ = true;
  for (size_t host = 0; host < hosts_.size(); ++host) {
    auto first = ranks_.begin() + first_ranks_[host];
    bool is_alive = std::any_of(first, first + spec_.counts[host],
                                [](const Rank& rank) { return !rank.is_complete; });
    if (!is_alive || hosts_[host].is_gone) continue;
    JobAction action;
    action.kind = JobAction::Kind::kTerminate;
    action.host = static_cast<int>(host);
    actions_.push_back(std::move(action));
  }
  CompleteAllThatAreDone();
}

// Of what is being ended, less is waited for.
void JobState::CompleteAllThatAreDone() {
  for (int rank = 0; rank < world_size(); ++rank) CompleteIfDone(rank);
}

void JobState::Interrupt() {
  is_ending_ = true;
  CompleteAllThatAreDone();
  bool is_second = std::exchange(result_.interrupted, true);
  if (!is_second) return;
  // After a second interrupt the job does not wait for a host that cannot be reached.
  for (size_t host = 0; host < hosts_.size(); ++host) {
    if (!hosts_[host].is_broken) continue;
    OnHostGone(static_cast<int>(host),
               absl::UnavailableError("it could not be reached when the job was interrupted"));
  }
}

void JobState::OnOutputEnd(int host, const absl::Status& status) {
  HostState& state = hosts_[static_cast<size_t>(host)];
  if (std::exchange(state.is_output_over, true)) return;
  if (!status.ok() && !state.is_gone) TellOver(host, "its output can no longer be read", status);
  for (int i = 0; i < spec_.counts[static_cast<size_t>(host)]; ++i) {
    CompleteIfDone(first_rank(host) + i);
  }
}

void JobState::OnConnection(int host, const absl::Status& status) {
  HostState& state = hosts_[static_cast<size_t>(host)];
  if (state.is_gone) return;  // given up: nothing is tried any more
  bool is_broken = !status.ok();
  if (std::exchange(state.is_broken, is_broken) == is_broken) return;
  state.is_silent = false;  // what is told now says more
  if (is_broken) {
    sink_->OnHostLost(host, status);
  } else {
    sink_->OnHostRegained(host);
  }
}

void JobState::OnSilence(int host, absl::Duration silence) {
  HostState& state = hosts_[static_cast<size_t>(host)];
  if (state.is_gone || state.is_broken) return;
  const bool is_silent = silence > absl::ZeroDuration();
  if (std::exchange(state.is_silent, is_silent) != is_silent) sink_->OnHostSilent(host, silence);
}

void JobState::OnHostGone(int host, const absl::Status& reason) {
  HostState& state = hosts_[static_cast<size_t>(host)];
  if (std::exchange(state.is_gone, true)) return;
  state.gone_reason = reason;
  TellOver(host, "given up", reason);
  for (int i = 0; i < spec_.counts[static_cast<size_t>(host)]; ++i) {
    Lose(first_rank(host) + i, reason);
  }
}

void JobState::TellOver(int host, absl::string_view what, const absl::Status& reason) {
  sink_->OnHostOver(host, absl::Status(reason.code(), absl::StrCat(what, ": ", reason.message())));
}

void JobState::Lose(int number, const absl::Status& reason) {
  Rank& rank = RankAt(number);
  if (!rank.has_ended) {
    rank.host_status = reason;
    rank.process.set_state(v1::STATE_LOST);
    rank.process.mutable_exit()->mutable_unknown()->set_detail(std::string(reason.message()));
    GiveOutWaiting(number);
    NoteEnd(number);
  }
  CompleteIfDone(number);
  CheckHalt();
}

void JobState::OnFenced(int host, const absl::Status& reason) {
  TellOver(host, "from now on this only watches", reason);
}

void JobState::OnLapse(int host, absl::Duration pause) {
  TellLapse(host, absl::NotFoundError(
                      absl::StrCat("it lapsed, not being renewed in time", TellPause(pause))));
}

void JobState::TellLapse(int host, const absl::Status& reason) {
  HostState& state = hosts_[static_cast<size_t>(host)];
  if (!std::exchange(state.is_lapse_told, true)) TellOver(host, "its session is over", reason);
}

void JobState::OnSessionOver(int host, const absl::Status& reason,
                             const absl::StatusOr<std::vector<v1::Process>>& known) {
  if (!known.ok()) return OnHostGone(host, reason);
  TellLapse(host, reason);
  std::set<int> kept;
  for (const v1::Process& process : *known) {
    if (std::optional<int> rank = RankOf(host, process)) kept.insert(*rank);
    OnProcess(host, process);
  }
  for (int i = 0; i < spec_.counts[static_cast<size_t>(host)]; ++i) {
    if (kept.count(first_rank(host) + i) == 0) Lose(first_rank(host) + i, reason);
  }
}

std::vector<JobAction> JobState::TakeActions() { return std::exchange(actions_, {}); }

JobResult JobState::Summarize() const {
  JobResult result = result_;
  result.world_size = world_size();
  for (const Rank& rank : ranks_) result.processes.push_back(rank.process);
  TellFailures(&result);
  return result;
}

void JobState::TellFailures(JobResult* result) const {
  const std::optional<int> first = failures_.First();
  if (!first.has_value()) return;
  const Rank& rank = RankAt(*first);
  result->first_failure = JobFailure{IdOf(*first), host_names_[static_cast<size_t>(rank.host)],
                                     rank.process, rank.error, rank.host_status};
  for (int number : failures_.ByRank()) result->failures.push_back(IdOf(number));
  for (int number : failures_.MaybeFirst()) result->maybe_first.push_back(IdOf(number));
}

}  // namespace shoal
