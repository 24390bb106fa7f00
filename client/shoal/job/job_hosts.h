// The hosts of a job, for every thread that has something to say to them at once: what ends or detaches the
// ranks goes out from the thread that wants it, whatever the thread of the job is blocked in.
//
//   Add → BeginStart → OnStartAnswered → OnClosed
//
// What comes to a host before the answer to its start may have come before its processes, and is sent again
// behind the answer. After the first End() nothing more is started.
//
// Ownership:     shared with the calls, which may outlive the job. Holds the hosts.
// Thread-safety: thread-safe.
// Blocking:      Suspend(); the rest never blocks.
#ifndef SHOAL_CLIENT_SHOAL_JOB_JOB_HOSTS_H_
#define SHOAL_CLIENT_SHOAL_JOB_JOB_HOSTS_H_

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "shoal/host.h"
#include "shoal/job.h"

namespace shoal {

v1::Selector SelectSession(const std::string& id);

class JobHosts : public std::enable_shared_from_this<JobHosts> {
 public:
  struct Observer {
    // Asked to end its ranks for an interrupt, the host did not answer.
    std::function<void(int host, const absl::Status& reason)> on_silent;
    // What was stopped there could not be continued.
    std::function<void(int host, const absl::Status& reason)> on_not_continued;
    // Every host has answered to Detach(), and to its start.
    std::function<void()> on_detached;
  };
  // `counts`: ranks by host; those with 0 take no part. A host is silent that has not answered to an interrupt
  // for `patience`. The observer is called on any thread.
  JobHosts(std::vector<int> counts, absl::Duration patience, Observer observer);

  // The host has a session.
  void Add(int host, JobLease lease);
  // Whether the ranks of the host may be started now. If so, they may be there from now on.
  bool BeginStart(int host);
  void OnStartAnswered(int host, const absl::StatusOr<v1::SpawnBatchResponse>& answer);
  // News of a rank, from the watch.
  void OnProcess(int host, const v1::Process& process);
  // Every tree of the host was seen empty.
  void OnClosed(int host);

  // One host, for the halt rule: with the grace of the spec.
  void Terminate(int host);
  // All hosts, for an interrupt: by `signal` (0: SIGTERM), with the grace of the spec; called again, at once.
  void Interrupt(int signal);

  // To every rank that is there.
  void Signal(int signal);

  // SIGSTOP to the tree of every rank, also behind the answer to a start; see Job. Blocks for `timeout` at most.
  JobSuspension Suspend(absl::Duration timeout);
  void Resume();
  std::vector<JobLease> Leases() const;

  // Makes every rank DETACHED once its start is answered.
  void Detach();
  // OK unless the ranks of the host could not be made DETACHED.
  absl::Status detach_status(int host) const;

  // The hosts on which processes may be left.
  std::vector<HostLeft> Left() const;

 private:
  enum class Ending { kNone, kTerminate, kKill };

  struct Member {
    JobLease lease;
    int ranks = 0;
    Ending ending = Ending::kNone;
    bool is_start_begun = false;
    bool is_start_answered = false;
    bool is_detach_sent = false;
    bool is_detach_answered = false;
    bool is_closed = false;
    bool is_stop_awaited = false;
    absl::Status stop_status;
    absl::Status detach_status;
    std::set<std::string> started;   // ids
    std::set<std::string> over;      // ids of those that ended, with an empty tree
    std::set<std::string> outlived;  // of those that ended, and whose descendants live
    std::set<std::string> stopped;   // by Suspend()
    std::set<std::string> stopped_before;
  };

  // A call to one host, made without the lock: its answer may come before it returns.
  struct Ask {
    int index = 0;
    std::shared_ptr<Host> host;
    std::string session_id;
    Ending ending = Ending::kNone;  // kNone: make them DETACHED
    int signal = 0;                 // to end them by
    std::set<std::string> ids;      // only these; empty: all of the session
    bool is_interrupted = false;
  };

  Ask MakeAsk(int host, Ending ending) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool TakeDetach(Member& member) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool TakeDetached() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Send(const std::vector<Ask>& asks);
  void SendEnding(const Ask& ask);
  void SendDetach(const Ask& ask);
  void OnDetachAnswered(int host, const absl::Status& status);
  // Asks first which are stopped already.
  void BeginStop(int host, const JobLease& lease);
  // False: they are to go on again already.
  bool NoteStoppedBefore(int host, const absl::StatusOr<std::vector<v1::Process>>& known);
  void SendStop(int host, const JobLease& lease);
  // To all of the session if no ids are given.
  void SendContinue(int host, const JobLease& lease, const std::set<std::string>& ids);
  void OnStopAnswered(int host, const absl::StatusOr<v1::SignalResponse>& answer);

  const absl::Duration patience_;
  const Observer observer_;
  mutable Mutex mu_;
  std::vector<Member> members_ ABSL_GUARDED_BY(mu_);
  Ending interrupt_ ABSL_GUARDED_BY(mu_) = Ending::kNone;
  int interrupt_signal_ ABSL_GUARDED_BY(mu_) = 0;
  bool is_detach_wanted_ ABSL_GUARDED_BY(mu_) = false;
  bool is_detach_told_ ABSL_GUARDED_BY(mu_) = false;
  bool is_suspended_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_JOB_JOB_HOSTS_H_
