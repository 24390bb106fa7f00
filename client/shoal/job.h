// One fan-out: the same command many times over the hosts of a fleet, attached; what `shoal run`
// does.
//
//   1. a session is opened on each host that gets ranks
//   2. output and state of each session are subscribed to, so that nothing is missed
//   3. each host gets one SpawnBatch with its ranks
//   4. events come to the sink until every rank has ended, with its descendants, and all its output
//      was given out
//   5. the sessions are closed, which proves every tree empty or names the survivors
//
// The first failure is kept as *the* failure. What is ended because of it, or because of an
// interrupt, is a count.
//
// Ownership:     the caller's; the sink must live until Run() has returned.
// Thread-safety: Run() once, on one thread; the rest from any. Interrupt(), Signal() and Detach() reach the hosts at
//                once, whatever the sink is blocked in.
// Blocking:      Run() returns when the job is over. The sink may block as long as it likes: leases
//                are kept alive by another thread, and readers wait with bounded queues.
#ifndef SHOAL_CLIENT_SHOAL_JOB_H_
#define SHOAL_CLIENT_SHOAL_JOB_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "shoal/fleet.h"
#include "shoal/halt_rule.h"
#include "shoal/input.h"
#include "shoal/session.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal {

// What the ranks read from their stdin.
struct JobInputSpec {
  std::shared_ptr<InputSource> source;  // null: /dev/null, or what JobSpec.process.input says
  // Which rank reads it; the others see the end at once. Absent: all, each at its own speed as far as
  // the host of the slowest has room.
  std::optional<int> rank;
  // As agents know the one that writes, for a caller that holds the input besides; empty: a name of its own.
  std::string writer;
};

struct JobSpec {
  // What to run; `name` names the job, ranks are <name>.<rank>. `lifetime` must be unset or
  // SESSION.
  v1::ProcessSpec process;
  // Ranks by host, parallel to Fleet::hosts(): see placement.h. A host with 0 takes no part.
  std::vector<int> counts;
  HaltRule halt = HaltRule::NowOnFirstFailure();
  JobInputSpec input;
  std::string session_name;
  absl::Duration session_ttl;  // zero: DefaultSessionTtl(), of each host
  // How long a host has to open its session.
  absl::Duration open_timeout = CallOptions().timeout;
  // False: output is neither read nor acknowledged.
  bool read_output = true;
  // How long state, exit and the end of stderr stay known on the hosts after the job, for `shoal why` and
  // the like; zero: not at all. Output that was read goes at once; what was not read stays as long as
  // the agent's retention says.
  absl::Duration keep_for = absl::Hours(1);
  // A host that was not heard of for so long is given up: its ranks are LOST.
  absl::Duration host_patience = absl::Seconds(60);
};

// Which process of the job.
struct RankId {
  int rank = 0;
  int host = 0;  // index into Fleet::hosts()
};

// The lease of a job on one host.
struct JobLease {
  std::shared_ptr<Host> host;
  std::string session_id;
  std::string token;
  absl::Duration ttl;
};

// Hears of everything that happens. Calls come on the thread of Run(), one at a time.
class JobSink {
 public:
  virtual ~JobSink() = default;

  // Every session is open; nothing is started yet. Once.
  virtual void OnOpened(const std::vector<JobLease>& /*leases*/) {}
  // execve succeeded; `process` has id, name and PID.
  virtual void OnStarted(RankId rank, const v1::Process& process);
  // Bytes at an absolute offset, without repetition; what lies between two of them is an OnGap.
  virtual void OnOutput(RankId rank, v1::StreamKind stream, int64_t offset, absl::string_view data);
  virtual void OnGap(RankId rank, v1::StreamKind stream, const v1::Gap& gap);
  // It has ended, and descendants that outlived it by a second are waited for: see
  // DescendantPolicy. At most once.
  virtual void OnDescendants(RankId /*rank*/, const v1::Process& /*process*/) {}
  // Its output cannot be written on its host: `process.output_error_number()` is why. Again after
  // it could.
  virtual void OnOutputStalled(RankId /*rank*/, const v1::Process& /*process*/) {}
  // Its end was asked for, and its shim does not react: it ends when the shim goes on. At most once.
  virtual void OnShimStalled(RankId /*rank*/, const v1::Process& /*process*/) {}
  // Input did not get through to a rank that may live; of rank -1: the source itself failed, and the ranks
  // see its end.
  virtual void OnInputLost(int /*rank*/, const absl::Status& /*reason*/) {}
  // The main process ended: EXITED or LOST. Output may still follow.
  virtual void OnExited(RankId rank, const v1::Process& process);
  // Nothing more of this rank will come: it ended, its tree is empty, and every byte was given out;
  // or, if it was ended by this job, every byte that could be written on its host: see
  // OnOutputStalled.
  virtual void OnComplete(RankId rank, const v1::Process& process);
  // No program ran.
  virtual void OnFailedToStart(RankId rank, const v1::RequestError& error);
  // The connection to a host broke, and is tried again; it stands again.
  virtual void OnHostLost(int host, const absl::Status& reason);
  virtual void OnHostRegained(int host);
  // The connection stands, and the agent has answered nothing for so long: it is stopped, or its host is stuck. Zero:
  // it answers again.
  virtual void OnHostSilent(int /*host*/, absl::Duration /*silence*/) {}
  // What Suspend() has stopped there could not be continued, and is not tried any more.
  virtual void OnNotContinued(int /*host*/, const absl::Status& /*reason*/) {}
  // Nothing is tried any more: the host was given up, its session is over, or its output can no
  // longer be read. The message of `reason` says which, and why.
  virtual void OnHostOver(int /*host*/, const absl::Status& /*reason*/) {}
  // The halt rule was met: what still runs is being ended (`now`), or waited for (`soon`).
  virtual void OnHalt(bool now);
  // About every half second, for a sink that shows how time passes.
  virtual void OnTick() {}
};

// The failure that a user is told of.
struct JobFailure {
  RankId rank;
  std::string host;
  // state, exit with stderr_tail, start_failure, times. Of a host that was lost: LOST.
  v1::Process process;
  // Why it was not started: code and message of the agent.
  v1::RequestError error;
  // Not OK when the host failed, not the process; the reason.
  absl::Status host_status;
};

struct HostSurvivors {
  std::string host;
  std::vector<std::string> process_ids;
  // Not OK: the host could not be asked, so whether something is left is not known.
  absl::Status status;
};

// A host on which processes of a job that is not over may be left.
struct HostLeft {
  int host = 0;  // index into Fleet::hosts()
  int processes = 0;
  // False: the host has not said whether they were started; then it is how many may be there.
  bool is_certain = false;
  // They go on, whatever becomes of the job.
  bool is_detached = false;
};

// A host that has no part in the job.
struct JobRefusal {
  int host = 0;  // index into Fleet::hosts()
  absl::Status reason;
};

// What became of Job::Suspend().
struct JobSuspension {
  struct Doubtful {
    int host = 0;  // index into Fleet::hosts()
    absl::Status reason;
  };
  int signaled = 0;                // processes that the hosts have sent SIGSTOP, with their trees
  std::vector<Doubtful> doubtful;  // hosts that have not said so
};

struct JobResult {
  int world_size = 0;
  int succeeded = 0;
  int failed = 0;              // by themselves, failed starts and unknown exits included
  int failed_to_start = 0;     // part of `failed`
  int unknown = 0;             // part of `failed`: the exit cannot be known
  int ended_by_us = 0;         // by the halt rule or an interrupt; not part of `failed`
  int ended_before_start = 0;  // part of `ended_by_us`: nothing of them ran
  // The first by exit time, with the clocks of the hosts set off against each other.
  std::optional<JobFailure> first_failure;
  // Those on other hosts that may have failed before it, by what is known of the clocks; by rank.
  std::vector<RankId> maybe_first;
  // Every rank that counts as failed, by rank.
  std::vector<RankId> failures;
  // The rank that ran longest, from its start to its exit.
  std::optional<RankId> slowest;
  absl::Duration slowest_time;
  absl::Duration elapsed;
  bool halted = false;
  bool interrupted = false;
  bool detached = false;
  // What was read of JobSpec.input is kept by the hosts of all ranks that read it; told if `detached`.
  bool is_input_passed = true;
  // Hosts on which something is, or may be, left. Empty: every tree was seen empty.
  std::vector<HostSurvivors> survivors;
  // Ranks that have ended, and whose descendants go on, DETACHED: see DESCENDANT_POLICY_KEEP; by rank.
  std::vector<v1::Process> kept;
  // Every rank as last seen, by rank.
  std::vector<v1::Process> processes;
};

class JobRun;

class Job {
 public:
  // INVALID_ARGUMENT: counts do not fit the fleet, or are all 0.
  static absl::StatusOr<std::unique_ptr<Job>> Create(const Fleet& fleet, JobSpec spec,
                                                     JobSink* sink);
  ~Job();
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  // The whole job. An error only if nothing was started: a session could not be opened on some
  // host, which the message names. Everything else is in the result. FAILED_PRECONDITION: this is a
  // fork of the program that has made the job.
  absl::StatusOr<JobResult> Run();
  // After an error of Run(): the hosts on which no session could be opened. On the thread of Run().
  std::vector<JobRefusal> Unopened() const;

  // Terminates every rank by `signal` (0: SIGTERM), with the spec's grace; called again, kills. Nothing more is started. A host that does
  // not answer within the grace and 5 s is given up: its ranks are LOST. Never blocks. Not for signal handlers.
  void Interrupt(int signal = 0);

  // Sends the signal to every rank that runs now. Never blocks, and does not wait for it.
  void Signal(int signal);

  // Stops every rank with its tree (SIGSTOP), of starts under way when they are answered, and waits
  // for the hosts to say so, for `timeout` at most. Time limits go on counting.
  JobSuspension Suspend(absl::Duration timeout);
  // Continues what Suspend() has stopped, and only that. Never blocks; a host that is away is told when
  // it is back. See JobSink::OnNotContinued.
  void Resume();
  // Of the hosts that have a session: for another program that renews them while this
  // one is stopped.
  std::vector<JobLease> Leases() const;

  // Reads no more output: the ranks are complete when they have exited. For a sink that can do
  // nothing with it; its writers may wait for ever, so end them, too.
  void DropOutput();

  // Makes every living rank DETACHED and lets Run() return with `detached`, leaving them alone. Never blocks.
  void Detach();

  // What may be left now, and where: for a program that ends without waiting for Run(). Never blocks.
  std::vector<HostLeft> Left() const;

 private:
  explicit Job(std::shared_ptr<JobRun> run);

  const std::shared_ptr<JobRun> run_;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_JOB_H_
