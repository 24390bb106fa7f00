#include "agent/shim/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/shim/failpoint.h"

namespace shoal::shim {
namespace {

using record::EndCause;
using record::Stage;

constexpr int64_t kReportPause = kMillisecond;
constexpr int64_t kFirstPause = kMillisecond;
constexpr int64_t kLongestPause = 20 * kMillisecond;
constexpr int64_t kIdlePause = kSecond;  // a stranger in the cgroup of a process that nobody ends
constexpr int64_t kUnkillableAfter = 2 * kSecond;
constexpr int64_t kUnkillablePause = 100 * kMillisecond;
constexpr int64_t kDeadManPause = kSecond;
constexpr int kRoundsAtOnce = 64;

int64_t NanosecondsOf(const struct timeval& time) {
  return int64_t{time.tv_sec} * kSecond + int64_t{time.tv_usec} * 1000;
}

record::Usage UsageOf(const struct rusage& usage) {
  return {NanosecondsOf(usage.ru_utime),
          NanosecondsOf(usage.ru_stime),
          int64_t{usage.ru_maxrss} * 1024,
          usage.ru_majflt,
          usage.ru_minflt,
          usage.ru_nvcsw,
          usage.ru_nivcsw};
}

}  // namespace

Supervisor::Supervisor(RecordSlot* record, char** argv, const char* cwd)
    : record_(record),
      argv_(argv),
      cwd_(cwd),
      tree_(record->agent().flags & record::kNoCgroup ? -1 : record::kCgroupFd) {
  for (struct pollfd& watched : watched_) watched = {-1, POLLIN, 0};
  for (int i = 0; i < record::kStreams; ++i) {
    streams_[i].Init(i, record->shim().id, &record->shim().streams[i], &index_);
  }
}

void Supervisor::Run() {
  if (StartError error = Start(); error.stage != Stage::kNone) FailStart(error);
  while (!record_->Has(record::kFinal)) {
    Wait();
    Turn();
  }
  Reach("final");
}

StartError Supervisor::Start() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigaddset(&signals, SIGUSR1);
  watched_[kSignals].fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (watched_[kSignals].fd < 0) return {Stage::kSetup, errno};
  record_->shim().shim_start_ticks =
      StartTicksBetween(record_->agent().spawn_began_ns, BootNow(), getpid());
  record_->shim().terminate_serial = record_->agent().terminate_serial;
  record_->Write();
  Reach("first-half");
  if (record_->agent().segment_bytes <= 0 || argv_[0] == nullptr) return {Stage::kSetup, EINVAL};
  // An end that was wanted before the shim began: nothing is run.
  if (record_->agent().terminate_serial != 0) {
    record_->shim().end_cause = record_->agent().terminate_cause;
    return {Stage::kSetup, ECANCELED};
  }
  return OpenPipesAndFork();
}

StartError Supervisor::OpenPipesAndFork() {
  const uint32_t flags = record_->agent().flags;
  ChildPlan plan = {argv_,
                    cwd_,
                    -1,
                    -1,
                    record_->agent().nofile_soft,
                    flags & record::kNoCgroup ? -1 : record::kCgroupFd};
  plan.stdout_fd = streams_[0].OpenPipe();
  if (plan.stdout_fd < 0) return {Stage::kPipe, errno};
  const bool merge = (flags & record::kMergeStderr) != 0;
  plan.stderr_fd = merge ? plan.stdout_fd : streams_[1].OpenPipe();
  if (plan.stderr_fd < 0) return {Stage::kPipe, errno};
  StartError error = StartChild(plan, &child_);
  close(plan.stdout_fd);
  if (!merge) close(plan.stderr_fd);
  if (error.stage != Stage::kNone) return error;
  Reach("forked");
  index_.Begin(record_->shim().id, WallNow());
  watched_[kStartPipe].fd = child_.start_pipe;
  record_->shim().pid = child_.pid;
  record_->shim().start_ticks = child_.start_ticks;
  if (child_.outside_cgroup) {
    tree_.ForgetCgroup();
    record_->shim().flags |= record::kCgroupRefused;
  }
  tree_.set_main(child_.pid);
  return {};
}

// The start pipe is at EOF or has an error.
void Supervisor::OnStarted() {
  watched_[kStartPipe].fd = -1;
  if (StartError error = FinishStart(&child_); error.stage != Stage::kNone) return FailStart(error);
  Reach("executed");
  record_->shim().started_ns = WallNow();
  index_.Begin(record_->shim().id, record_->shim().started_ns);
  if (record_->agent().limit_from_exec_ns > 0) {
    limit_at_ = After(BootNow(), record_->agent().limit_from_exec_ns);
  }
  Changed(record::kStarted);
}

void Supervisor::FailStart(StartError error) {
  record_->shim().fail_stage = error.stage;
  record_->shim().fail_errno = error.error_number;
  no_children_ = child_.pid == 0;
  Changed(record::kStartFailed);
  if (child_.pid == 0) {  // nobody to wait for
    for (OutputStream& stream : streams_) stream.Close();
    Turn();
  }
}

// Takes every child that is dead. True if there was one.
bool Supervisor::Reap() {
  bool any = false;
  for (;;) {
    int status;
    struct rusage usage;
    const pid_t pid = wait4(-1, &status, WNOHANG | __WALL, &usage);
    if (pid <= 0) {
      no_children_ = pid < 0 && errno == ECHILD;
      return any;
    }
    any = true;
    if (pid == child_.pid && !Ended()) OnExit(status, usage);
    if (pid == child_.pid) tree_.set_main(0);
  }
}

void Supervisor::OnExit(int status, const struct rusage& usage) {
  if (child_.start_pipe >= 0) OnStarted();
  if (record_->Has(record::kStartFailed)) return;
  Reach("reaped");
  record_->shim().wait_status = status;
  record_->shim().usage = UsageOf(usage);
  record_->shim().exited_ns = WallNow();
  if (!(record_->agent().flags & record::kKeepDescendants)) {
    descendants_at_ = After(BootNow(), record_->agent().grace_ns);
  }
  Changed(record::kExited);
}

void Supervisor::Wait() {
  const int64_t deadline = NextDeadline();
  if (deadline != timer_at_) ArmTimer(deadline);
  for (int i = 0; i < record::kStreams; ++i) watched_[kStdout + i].fd = streams_[i].poll_fd();
  const int64_t wake = NextWake();
  struct timespec timeout = {};
  if (wake != kNever) {
    const int64_t span = wake - BootNow();
    if (span > 0)
      timeout = {static_cast<time_t>(span / kSecond), static_cast<long>(span % kSecond)};
  }
  if (ppoll(watched_, kWatchedCount, wake == kNever ? nullptr : &timeout, nullptr) < 0) {
    for (struct pollfd& watched : watched_) watched.revents = 0;
  }
}

// What a moment's pause of ppoll is good for; longer ones are the timer's, which counts suspended
// time.
int64_t Supervisor::NextWake() const {
  int64_t wake = check_at_;
  if (moved_) wake = Earlier(wake, published_at_ + kReportPause);
  if (unread_) wake = Earlier(wake, now_ + kLongestPause);
  for (const OutputStream& stream : streams_) {
    if (stream.has_rest() && !stream.stalled()) return 0;
    if (stream.retry_at() != 0) wake = Earlier(wake, stream.retry_at());
  }
  return wake;
}

void Supervisor::ArmTimer(int64_t at) {
  int& fd = watched_[kTimer].fd;
  if (fd < 0) fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  struct itimerspec timer = {};
  if (at != kNever)
    timer.it_value = {static_cast<time_t>(at / kSecond), static_cast<long>(at % kSecond)};
  // Without a timer (EMFILE) the next turn tries again.
  if (fd >= 0 && timerfd_settime(fd, TFD_TIMER_ABSTIME, &timer, nullptr) == 0) timer_at_ = at;
}

// One turn: what was reported by ppoll, then whatever follows from it.
void Supervisor::Turn() {
  now_ = BootNow();
  if (Readable(kTimer)) timer_at_ = 0;  // fired: arming it anew makes it unreadable
  if (Readable(kStartPipe)) OnStarted();
  if (Readable(kSignals)) OnSignals();
  if (unread_) ReadDesired();
  CheckDeadlines();
  DriveEnd();
  MoveOutput();
  CheckEmpty();
  CheckFinal();
  if (changed_ || (moved_ && now_ >= published_at_ + kReportPause)) PublishNow();
}

void Supervisor::OnSignals() {
  struct signalfd_siginfo signals[2];
  const ssize_t size = read(watched_[kSignals].fd, signals, sizeof(signals));
  bool child = false;
  for (ssize_t i = 0; i < size / static_cast<ssize_t>(sizeof(signals[0])); ++i) {
    if (signals[i].ssi_signo == SIGUSR1) unread_ = true;
    if (signals[i].ssi_signo == SIGCHLD) child = true;
  }
  if (child && Reap() && phase_ == Phase::kKilling) check_at_ = now_;  // its orphans are ours now
}

void Supervisor::ReadDesired() {
  unread_ = !record_->ReadAgent();
  if (unread_) return;
  const record::AgentHalf& agent = record_->agent();
  for (int i = 0; i < record::kStreams; ++i) {
    if (streams_[i].blocked() && streams_[i].Move(LimitsOf(i))) moved_ = true;
  }
  if (agent.terminate_serial <= record_->shim().terminate_serial) return;
  record_->shim().terminate_serial = agent.terminate_serial;
  Changed(0);
  BeginEnd(agent.terminate_cause, agent.terminate_signal, agent.terminate_grace_ns);
}

void Supervisor::CheckDeadlines() {
  if (phase_ != Phase::kRunning || now_ < NextDeadline()) return;
  record_->ReadAgent();  // deadlines are moved without a signal
  const record::AgentHalf& agent = record_->agent();
  if (now_ < NextDeadline()) return;
  if (now_ >= descendants_at_) {
    return BeginEnd(EndCause::kDescendants, SIGTERM, agent.grace_ns);
  }
  const bool dead_man =
      agent.dead_man_ns > 0 && now_ >= agent.dead_man_ns && now_ >= dead_man_check_at_;
  if (!dead_man) return BeginEnd(EndCause::kTimeLimit, SIGTERM, agent.grace_ns);
  if (!record_->AgentLives()) return BeginEnd(EndCause::kDeadMan, SIGTERM, agent.grace_ns);
  dead_man_check_at_ = After(now_, kDeadManPause);
}

// The earliest instant at which something must end.
int64_t Supervisor::NextDeadline() const {
  if (record_->Has(record::kEmpty) || child_.pid == 0) return kNever;
  if (phase_ == Phase::kAsked) return kill_at_;
  if (phase_ == Phase::kKilling) return kNever;
  const record::AgentHalf& agent = record_->agent();
  int64_t deadline = descendants_at_;
  if (!Ended()) {
    deadline = Earlier(deadline, limit_at_);
    if (agent.time_limit_ns > 0) deadline = Earlier(deadline, agent.time_limit_ns);
  }
  if (agent.dead_man_ns > 0) {
    const int64_t check =
        agent.dead_man_ns > dead_man_check_at_ ? agent.dead_man_ns : dead_man_check_at_;
    deadline = Earlier(deadline, check);
  }
  return deadline;
}

void Supervisor::BeginEnd(EndCause cause, int number, int64_t grace_ns) {
  if (phase_ == Phase::kKilling || record_->Has(record::kEmpty)) return;
  if (number < 1 || number > 64) number = SIGTERM;
  const bool first = phase_ == Phase::kRunning;
  if (first) {
    record_->shim().end_cause = cause;
    record_->shim().end_signal = number;
    record_->shim().end_began_ns = WallNow();
  }
  Changed(0);
  Reach("end-begun");
  if (number == SIGKILL) return StartKilling();
  kill_at_ = Earlier(kill_at_, After(now_, grace_ns));
  phase_ = Phase::kAsked;
  tree_.Signal(number);
  tree_.Signal(SIGCONT);  // who is stopped could not act upon it
  Reach("signalled");
}

void Supervisor::DriveEnd() {
  if (phase_ == Phase::kAsked && now_ >= kill_at_) {
    if (!record_->Has(record::kEmpty)) record_->shim().flags |= record::kEscalated;
    StartKilling();
  }
  if (phase_ != Phase::kKilling || record_->Has(record::kEmpty)) return;
  if (now_ < check_at_) return;
  KillRound();
  if (now_ >= unkillable_at_) NoteSurvivors();
  pause_ =
      record_->Has(record::kUnkillable) ? kUnkillablePause : Earlier(pause_ * 2, kLongestPause);
  check_at_ = now_ + pause_;
}

void Supervisor::StartKilling() {
  phase_ = Phase::kKilling;
  record_->shim().killed_ns = WallNow();
  unkillable_at_ = now_ + kUnkillableAfter;
  pause_ = kFirstPause;
  check_at_ = now_;
  Changed(0);
}

// Kills and reaps as long as somebody dies: each dead parent makes its children ours.
void Supervisor::KillRound() {
  for (int round = 0; round < kRoundsAtOnce; ++round) {
    tree_.Kill();
    if (round == 0) Reach("killed");
    if (!Reap() || no_children_) return;
  }
}

void Supervisor::NoteSurvivors() {
  int32_t pids[record::kMaxSurvivors] = {};
  const int count = tree_.Survivors(pids, record::kMaxSurvivors);
  record::ShimHalf& shim = record_->shim();
  if (record_->Has(record::kUnkillable) && count == shim.survivor_count) return;
  shim.survivor_count = count;
  memcpy(shim.survivors, pids, sizeof(shim.survivors));
  Changed(record::kUnkillable);
}

// Empty: no child, and nobody in the cgroup. The cgroup is looked at again after a pause; nothing
// reports its end in time (inotify lags by 11-16 ms).
void Supervisor::CheckEmpty() {
  if (record_->Has(record::kEmpty) || !Ended() || !no_children_) return;
  const bool killing = phase_ == Phase::kKilling;
  if (!killing && check_at_ != kNever && now_ < check_at_) return;
  if (tree_.CgroupPopulated()) {
    if (killing) return;  // DriveEnd() has the next look
    const int64_t longest = phase_ == Phase::kAsked ? kLongestPause : kIdlePause;
    pause_ = pause_ == 0 ? kFirstPause : Earlier(pause_ * 2, longest);
    check_at_ = now_ + pause_;
    return;
  }
  Reach("empty");
  check_at_ = kNever;
  record_->shim().empty_ns = WallNow();
  Changed(record::kEmpty);
  for (OutputStream& stream : streams_) stream.TakeRest();
}

OutputLimits Supervisor::LimitsOf(int stream) const {
  const record::AgentHalf& agent = record_->agent();
  // Less than a segment cannot be kept.
  const int64_t cap = agent.cap_bytes > agent.segment_bytes ? agent.cap_bytes : agent.segment_bytes;
  return {cap, agent.segment_bytes, (agent.flags & record::kDropOldest) != 0,
          agent.acknowledged[stream]};
}

void Supervisor::MoveOutput() {
  for (int i = 0; i < record::kStreams; ++i) {
    OutputStream& stream = streams_[i];
    if (!stream.open()) continue;
    const bool retry = stream.retry_at() != 0 && now_ >= stream.retry_at();
    if ((watched_[kStdout + i].revents & POLLIN) || retry ||
        (stream.has_rest() && !stream.stalled())) {
      // What is urgent does not wait for a disk.
      if (changed_) PublishNow();
      bool moved = stream.Move(LimitsOf(i));
      // An acknowledgement comes without a signal to who was not stalled.
      if (stream.blocked() && record_->ReadAgent()) moved = stream.Move(LimitsOf(i));
      if (moved) moved_ = true;
    } else if (watched_[kStdout + i].revents != 0) {
      stream.Close();  // a hang-up, and nothing to read
    }
  }
  if (moved_) Reach("moved");
  NoteStreams();
}

void Supervisor::NoteStreams() {
  uint32_t flags = record_->shim().flags & ~record::kOutputStalled;
  if (streams_[0].stalled() || streams_[1].stalled()) flags |= record::kOutputStalled;
  if (streams_[0].dropped() || streams_[1].dropped()) flags |= record::kOutputDropped;
  if (flags == record_->shim().flags) return;
  record_->shim().flags = flags;
  changed_ = true;
}

void Supervisor::CheckFinal() {
  if (!streams_[0].open() && !streams_[1].open() && !record_->Has(record::kOutputComplete)) {
    record_->shim().flags |= record::kOutputComplete;
    moved_ = true;  // the exit is usually next
  }
  if (Ended() && record_->Has(record::kOutputComplete) && record_->Has(record::kEmpty)) {
    Changed(record::kFinal);
  }
}

void Supervisor::Changed(uint32_t flags) {
  record_->shim().flags |= flags;
  changed_ = true;
}

void Supervisor::PublishNow() {
  record_->Publish();
  published_at_ = now_;
  changed_ = false;
  moved_ = false;
  if (record_->Has(record::kStarted)) Reach("started");
  if (record_->Has(record::kExited)) Reach("exit-written");
}

}  // namespace shoal::shim
