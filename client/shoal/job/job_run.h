// One run of a job: carries out, on the thread of Run(), what comes from all hosts, until every rank is
// complete. What it means is decided by JobState; what goes out at once from other threads is of
// JobHosts.
//
// Ownership:     the Job's. Calls and streams hold plain pointers to it until Run() has returned.
// Thread-safety: Run() once, on one thread; the rest from any.
// Blocking:      Run(), as job.h says; the rest never blocks.
// Errors:        as Job::Run() says.
#ifndef SHOAL_CLIENT_SHOAL_JOB_JOB_RUN_H_
#define SHOAL_CLIENT_SHOAL_JOB_JOB_RUN_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/boot_time.h"
#include "common/mutex.h"
#include "shoal/fleet.h"
#include "shoal/host/event_queue.h"
#include "shoal/job.h"
#include "shoal/job/job_hosts.h"
#include "shoal/job/job_input.h"
#include "shoal/job/job_state.h"
#include "shoal/session.h"

namespace shoal {

class JobRun {
  using Queue = EventQueue<absl::AnyInvocable<void()>>;

 public:
  JobRun(const Fleet& fleet, JobSpec spec, JobSink* sink);

  absl::StatusOr<JobResult> Run();
  std::vector<JobRefusal> Unopened() const;
  void Interrupt(int signal);
  void DropOutput();
  JobHosts& hosts() const { return *hosts_; }

 private:
  // One that gets ranks; the others have no session.
  struct Member {
    int index = 0;
    std::shared_ptr<Host> host;
    std::unique_ptr<Session> session;
    std::unique_ptr<Subscription> watch;
    std::unique_ptr<Subscription> output;
    absl::Status status;
    bool is_fenced = false;  // another client has the session
  };
  // Shared with the calls that open sessions.
  struct Opening {
    explicit Opening(size_t hosts) : unanswered(hosts) {}
    Mutex mu;
    bool is_over ABSL_GUARDED_BY(mu) = false;  // the job waits for no more answers
    size_t unanswered;                         // the thread of Run()
  };

  static std::vector<std::string> NamesOf(const Fleet& fleet);
  JobHosts::Observer MakeHostsObserver();
  absl::Status OpenSessions();
  static void CloseLate(absl::StatusOr<std::unique_ptr<Session>> late);
  void CloseUnused();
  void Subscribe(Member& member);
  void SubscribeOutput(Member& member);
  void Spawn(Member& member);
  std::shared_ptr<JobInput> MakeInput();
  void Feed(const Member& member, const absl::StatusOr<v1::SpawnBatchResponse>& answer);
  void Pump(const std::function<bool()>& is_over);
  void TakeIn(absl::Duration timeout);
  void CarryOut();
  void OnSessionOver(Member& member, const absl::Status& reason);
  void CloseSessions(JobResult* result);
  static void TakeKept(const google::protobuf::RepeatedPtrField<std::string>& ids,
                       JobResult* result);

  const JobSpec spec_;
  JobSink* const sink_;
  const std::vector<std::string> host_names_;
  const std::shared_ptr<Queue> queue_;  // shared with calls that outlive this
  const std::shared_ptr<JobHosts> hosts_;
  const std::shared_ptr<JobInput> input_;  // null: there is none

  // The thread of Run().
  std::vector<Member> members_;  // by host; `session` only where there are ranks
  std::vector<Member*> active_;
  BootTime last_tick_ = BootTime::Now();
  std::vector<v1::Ranks> ranks_;  // by host; each until it is sent
  JobState state_;
  size_t unanswered_starts_ = 0;
  bool is_detached_ = false;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_JOB_JOB_RUN_H_
