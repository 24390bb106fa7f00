// `shoal run` and `exec`: processes that are attached to this command and end with it.
//
//   1. signals are blocked, before any thread is there              Interrupts
//   2. the hosts are asked, the ranks placed                        FindHosts, Place
//   3. what the hosts lack of --ship is sent to them                ShipAll
//   4. the job runs; its output is written as it comes              Job::Run, RunSink
//      a host that is lost before anything was started is left out, if the user allows that: again from 2
//   5. what became of it goes to stderr, and into the exit status   ReportRun, RunExitStatus
//
// Ownership:     the caller's; lives until the program ends.
// Thread-safety: Go() once, on the main thread; the rest is called back on threads of signals and of the job.
// Blocking:      Go() until the job is over, or was left.
// Errors:        nothing was started; all else is told on stderr, and in the exit status.
#ifndef SHOAL_CLIENT_CLI_RUN_JOB_H_
#define SHOAL_CLIENT_CLI_RUN_JOB_H_

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "client/cli/detach_keys.h"
#include "client/cli/interrupts.h"
#include "client/cli/invocation.h"
#include "client/cli/job_options.h"
#include "client/cli/keeper.h"
#include "client/cli/run.h"
#include "client/cli/run_report.h"
#include "client/cli/run_sink.h"
#include "client/cli/run_terminal.h"
#include "client/cli/ship_options.h"
#include "client/cli/stdin_source.h"
#include "common/mutex.h"
#include "shoal/job.h"

namespace shoal::cli {

// One job, from the fleet to the exit status.
class RunJob {
 public:
  RunJob(const RunArguments& arguments, std::vector<std::string> words, std::vector<ShipFile> files,
         Invocation& invocation, Interrupts& interrupts, std::optional<Fleet> fleet)
      : arguments_(arguments),
        job_options_(arguments.job),
        words_(std::move(words)),
        files_(std::move(files)),
        invocation_(invocation),
        interrupts_(interrupts),
        session_ttl_(arguments.session_ttl),
        fleet_(std::move(fleet)) {}

  absl::StatusOr<int> Go();
  // After an error of Go(): hosts that were lost after they had answered, and that may be left out in
  // another round; nothing was started. Empty: the error is not of that kind.
  const std::vector<UnreachableHost>& lost() const { return lost_; }
  // Where it runs; after Go().
  const std::optional<Fleet>& fleet() const { return fleet_; }

 private:
  absl::StatusOr<Fleet> FindHosts();
  absl::StatusOr<JobSpec> MakeSpec(const Fleet& fleet, const std::vector<int>& counts);
  absl::Status Ship(const Fleet& fleet, const std::vector<int>& counts, v1::ProcessSpec* spec);
  void OnSignal(int number);
  void OnPause();
  void OnStop();
  void OnOpened(const std::vector<JobLease>& leases);
  void OnBrokenOutput();
  std::string LearnName(const Fleet& fleet, int host, const std::string& own_name);
  std::vector<std::string> Names() const;
  absl::Status OpenTerminal(int world);
  absl::Status SetInput(int world, JobSpec* spec);
  void Listen(const Fleet& fleet, RunSinkOptions* options);
  void TellWaitingInput();
  void TakeLost(const Fleet& fleet);
  RunFacts KnownFacts(const JobSpec& spec) const;
  int Tell(JobResult result, RunFacts facts, const std::vector<int>& counts, const RunSink& sink);
  int FinishLeft(const JobResult& result, const RunSink& sink);

  const RunArguments& arguments_;
  JobOptions job_options_;  // with the id of the process to run beside
  const std::vector<std::string> words_;
  const std::vector<ShipFile> files_;
  Invocation& invocation_;
  Interrupts& interrupts_;
  std::string session_ttl_;
  std::optional<Fleet> fleet_;  // none: FindHosts() is to find it
  std::vector<UnreachableHost> lost_;
  Keeper keeper_;
  std::atomic<bool> has_keeper_ = false;
  mutable Mutex names_mu_;
  // By index into the fleet; for the thread of signals, too.
  std::vector<std::string> host_names_ ABSL_GUARDED_BY(names_mu_);
  std::shared_ptr<StdinSource> stdin_;     // null: our stdin is not read
  std::unique_ptr<RunTerminal> terminal_;  // null: the process has none
  std::unique_ptr<Job> job_;
  std::atomic<int> first_signal_ = 0;
  // Of the thread of signals.
  int leaving_signal_ = 0;  // came when nothing was left to be ended
  bool is_said_to_rest_ =
      false;  // that nothing is left, though the first signal may still be at work
  std::atomic<bool> is_opened_ = false;  // something may have been started
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_RUN_JOB_H_
