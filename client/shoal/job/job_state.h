// What is known of a running job, and what is to be done about it: the part of a Job that knows no
// gRPC.
//
//   hosts' answers and events → On…() → calls of the sink, and actions for the Job to carry out
//
// The states of a rank:
//   expected → started → exited → complete
//   expected → failed to start, which is complete, too
// Events of one rank may come in any order (an exit before the spawn's answer, output before both):
// what cannot be placed yet is kept until it can, and each sink call is made once.
//
// Ownership:     the Job's. Does not own the sink.
// Thread-safety: the thread of Job::Run() only.
// Blocking:      as the sink does.
#ifndef SHOAL_CLIENT_SHOAL_JOB_JOB_STATE_H_
#define SHOAL_CLIENT_SHOAL_JOB_JOB_STATE_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "shoal/host/output_positions.h"
#include "shoal/job.h"
#include "shoal/job/job_failures.h"

namespace shoal {

struct JobAction {
  enum class Kind {
    kTerminate,    // every rank of the host, with the grace of the spec: the halt rule was met
    kAcknowledge,  // `acknowledge`
  };
  Kind kind = Kind::kTerminate;
  int host = 0;
  v1::AcknowledgeOutputRequest acknowledge;
};

class JobState {
 public:
  // `host_names` parallel to spec.counts. The spec must outlive this.
  JobState(std::vector<std::string> host_names, const JobSpec& spec, JobSink* sink);

  int world_size() const { return static_cast<int>(ranks_.size()); }
  int first_rank(int host) const { return first_ranks_[static_cast<size_t>(host)]; }

  // What the host's times are counted from.
  void SetClock(int host, const ClockReading& clock) { failures_.SetClock(host, clock); }
  // The answer to the host's SpawnBatch.
  void OnSpawned(int host, const absl::StatusOr<v1::SpawnBatchResponse>& answer);
  // From the host's watch.
  void OnProcess(int host, const v1::Process& process);
  // From the host's reader.
  void OnFrame(int host, v1::ReadOutputResponse frame);
  // The reader ended; no more output of this host will come.
  void OnOutputEnd(int host, const absl::Status& status);
  // The connection broke (not OK) or stands again.
  void OnConnection(int host, const absl::Status& status);
  // It has answered no renewal for so long, by a connection that stands; zero: it answers again.
  void OnSilence(int host, absl::Duration silence);
  // The host was given up, or its session is over: what has not ended there is LOST.
  void OnHostGone(int host, const absl::Status& reason);
  // Every rank is being ended by the Job; a second time, at once.
  void Interrupt();

  // Another client has its session: the ranks go on, and are that one's to end.
  void OnFenced(int host, const absl::Status& reason);
  // A rank of the host was ended because its session had lapsed; `pause`: see Session.
  void OnLapse(int host, absl::Duration pause);
  // What the agent still knows of the host's ranks, after its session was found to be over: what is
  // missing is LOST for `reason`.
  void OnSessionOver(int host, const absl::Status& reason,
                     const absl::StatusOr<std::vector<v1::Process>>& known);

  // All output was given out, of every rank that has written any.
  bool is_output_read() const;
  bool is_interrupted() const { return result_.interrupted; }
  // OK, or why the host was given up.
  const absl::Status& gone_reason(int host) const {
    return hosts_[static_cast<size_t>(host)].gone_reason;
  }

  // In order; each once.
  std::vector<JobAction> TakeActions();
  // Every rank is complete.
  bool IsComplete() const { return complete_ == world_size(); }
  // Counts, first failure, slowest rank, processes.
  JobResult Summarize() const;

 private:
  struct Rank {
    int host = 0;
    v1::Process process;  // as last seen
    v1::RequestError error;
    absl::Status host_status;
    bool is_started = false;
    bool is_stalled = false;
    bool has_told_descendants = false;
    bool has_told_shim = false;
    bool has_ended = false;
    bool is_complete = false;
  };

  struct HostState {
    bool is_broken = false;
    bool is_silent = false;
    bool is_output_over = false;
    bool is_gone = false;
    bool is_lapse_told = false;
    absl::Status gone_reason;
  };

  RankId IdOf(int rank) const { return {rank, RankAt(rank).host}; }
  Rank& RankAt(int rank) { return ranks_[static_cast<size_t>(rank)]; }
  const Rank& RankAt(int rank) const { return ranks_[static_cast<size_t>(rank)]; }
  std::optional<int> RankOf(int host, const v1::Process& process) const;
  void Place(int rank, const v1::Process& process);
  void GiveOutWaiting(int number);
  void GiveOut(int rank, const v1::ReadOutputResponse& frame);
  void FailToStart(int rank, const v1::RequestError& error);
  void NoteEnd(int rank);
  void TellFailures(JobResult* result) const;
  void Count(int rank);
  bool IsReadToEnd(const v1::Process& process) const;
  bool IsOutputDone(const Rank& rank) const;
  bool IsTreeDone(const Rank& rank) const;
  bool IsCutShort(const v1::Process& process) const;
  void CompleteIfDone(int rank);
  void CompleteAllThatAreDone();
  void TellOver(int host, absl::string_view what, const absl::Status& reason);
  void TellLapse(int host, const absl::Status& reason);
  void Lose(int rank, const absl::Status& reason);
  void CheckHalt();
  void EndAll();

  // Constant after construction.
  const std::vector<std::string> host_names_;
  const JobSpec& spec_;
  JobSink* const sink_;
  std::vector<int> first_ranks_;

  std::vector<Rank> ranks_;
  std::vector<HostState> hosts_;
  absl::flat_hash_map<std::string, int> rank_of_id_;
  std::map<std::string, std::vector<v1::ReadOutputResponse>> unplaced_;
  OutputPositions positions_;
  std::vector<JobAction> actions_;
  bool is_ending_ = false;  // by the halt rule or an interrupt
  JobResult result_;
  JobFailures failures_;
  int ended_ = 0;
  int complete_ = 0;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_JOB_JOB_STATE_H_
