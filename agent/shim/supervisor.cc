#include "agent/shim/supervisor.h"

#include <errno.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/shim/failpoint.h"

namespace shoal::shim {
namespace {

using record::EndCause;
using record::Stage;

constexpr int64_t kShortestPause = kMillisecond;
constexpr int64_t kLongestPause = 20 * kMillisecond;
// While an agent holds its lock past the dead-man time; or a stranger is in the cgroup of a process
// that nobody ends.
constexpr int64_t kIdlePause = kSecond;
constexpr int64_t kUnkillableAfter = 2 * kSecond;
constexpr int64_t kUnkillablePause = 100 * kMillisecond;
constexpr int kRoundsAtOnce = 64;
// When it ends, a process may just have forked what is not an adopting shim yet: nothing tells when
// it is. So the children that are left are looked at after this time, twice it, four times it, …
constexpr int64_t kFirstLook = 100 * kMillisecond;

int64_t NsOf(const struct timeval& time) {
  return int64_t{time.tv_sec} * kSecond + int64_t{time.tv_usec} * 1000;
}

struct timespec TimespecOf(int64_t ns) {
  return {static_cast<time_t>(ns / kSecond), static_cast<long>(ns % kSecond)};
}

}  // namespace

Supervisor::Supervisor(RecordSlot* record, char** argv, const char* cwd, pid_t adopted)
    : record_(record),
      half_(record->shim()),
      wish_(record->agent()),
      argv_(argv),
      cwd_(cwd),
      adopted_(adopted),
      streams_{{0, half_.id, &half_.streams[0], &index_},
               {1, half_.id, &half_.streams[1], &index_},
               {2, half_.id, &half_.streams[2], &index_}} {
  for (struct pollfd& watched : watched_) watched = {-1, POLLIN, 0};
}

void Supervisor::Run() {
  if (StartError error = Start(); error.stage != Stage::kNone) FailStart(error);
  if (adopted_ != 0 && Reap()) Turn();  // it may have ended before there was a signalfd
  while (!Has(record::kFinal)) {
    Wait();
    Turn();
  }
  Reach("final");
}

StartError Supervisor::Start() {
  StartError error = adopted_ != 0 ? Adopt() : StartError{};
  if (error.stage != Stage::kNone) return error;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigaddset(&signals, SIGUSR1);
  watched_[kSignals].fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (watched_[kSignals].fd < 0) return {Stage::kSetup, errno};
  half_.shim_start_ticks = StartTicksBetween(wish_.spawn_began_ns, BootNow(), getpid());
  half_.terminate_serial = wish_.terminate_serial;
  record_->Write();
  Reach("first-half");
  const bool runs_something = adopted_ != 0 || argv_[0] != nullptr;
  if (wish_.segment_bytes <= 0 || !runs_something) return {Stage::kSetup, EINVAL};
  half_.end_cause = wish_.terminate_cause;  // an end that was wanted beforehand: nothing is run
  if (wish_.terminate_serial != 0) return {Stage::kSetup, ECANCELED};

  index_.Begin(half_.id, WallNow());
  if (adopted_ != 0) {
    TakePipes();
  } else if (error = Fork(); error.stage != Stage::kNone) {
    return error;
  }
  Reach("forked");
  watched_[kStartPipe].fd = child_.start_pipe;
  return {};
}

StartError Supervisor::Fork() {
  const int cgroup_fd = Wants(record::kNoCgroup) ? -1 : record::kCgroupFd;
  ChildPlan plan = {
      argv_, cwd_, -1, -1, -1, wish_.nofile_soft, cgroup_fd, Wants(record::kForbidChildren)};
  StartError error = OpenPipes(&plan);
  if (error.stage == Stage::kNone) error = StartChild(plan, &child_);
  close(plan.stdout_fd);
  if (plan.result_fd >= 0) close(plan.result_fd);
  if (plan.stderr_fd != plan.stdout_fd) close(plan.stderr_fd);
  if (error.stage != Stage::kNone) return error;
  if (child_.outside_cgroup) half_.flags |= record::kCgroupRefused;
  OnForked(child_.outside_cgroup ? -1 : cgroup_fd, -1);
  return {};
}

StartError Supervisor::Adopt() {
  half_.flags |= record::kAdopted;
  StartError error = AdoptChild(adopted_, &child_);
  if (error.stage != Stage::kNone) return error;
  const bool alone = Wants(record::kNoCgroup);
  OnForked(alone ? -1 : record::kCgroupFd, alone ? -1 : fork_protocol::kShimCgroupFd);
  return {};
}

void Supervisor::OnForked(int cgroup_fd, int refuge_fd) {
  no_children_ = false;
  half_.pid = child_.pid;
  half_.start_ticks = child_.start_ticks;
  tree_.Begin(child_.pid, cgroup_fd, refuge_fd);
}

void Supervisor::TakePipes() {
  streams_[0].TakePipe(fork_protocol::kStdoutFd);
  if (!Wants(record::kMergeStderr)) streams_[1].TakePipe(fork_protocol::kStderrFd);
  if (Wants(record::kResultStream)) streams_[2].TakePipe(fork_protocol::kResultFd);
}

// The write ends go into the plan, whose owner closes them.
StartError Supervisor::OpenPipes(ChildPlan* plan) {
  plan->stdout_fd = plan->stderr_fd = streams_[0].OpenPipe();
  if (plan->stdout_fd < 0) return {Stage::kPipe, errno};
  if (!Wants(record::kMergeStderr)) plan->stderr_fd = streams_[1].OpenPipe();
  if (plan->stderr_fd < 0) return {Stage::kPipe, errno};
  if (!Wants(record::kResultStream)) return {};
  plan->result_fd = streams_[2].OpenPipe();
  if (plan->result_fd < 0) return {Stage::kPipe, errno};
  return {};
}

// The start pipe is at EOF or has an error.
void Supervisor::OnStarted() {
  watched_[kStartPipe].fd = -1;
  if (StartError error = FinishStart(&child_); error.stage != Stage::kNone) return FailStart(error);
  Reach("executed");
  half_.started_ns = WallNow();
  index_.Begin(half_.id, half_.started_ns);
  if (wish_.limit_from_exec_ns > 0) limit_at_ = After(BootNow(), wish_.limit_from_exec_ns);
  Changed(record::kStarted);
}

void Supervisor::FailStart(StartError error) {
  half_.fail_stage = error.stage;
  half_.fail_errno = error.error_number;
  Changed(record::kStartFailed);
  if (adopted_ != 0 && child_.pid != 0) {  // it may run, and must not
    close(child_.start_pipe);
    child_.start_pipe = -1;
    PublishNow();  // who waits for the start does not wait for what follows
    now_ = BootNow();
    StartKilling();
  }
  if (child_.pid != 0) return;  // it is still to be reaped
  for (OutputStream& stream : streams_) stream.Close();
  Turn();
}

// Takes every child that is dead. True if there was one.
bool Supervisor::Reap() {
  int status;
  struct rusage used;
  pid_t pid;
  bool any = false;
  while ((pid = wait4(-1, &status, WNOHANG | __WALL, &used)) > 0) {
    any = true;
    if (pid != child_.pid) continue;
    if (!Ended()) OnExit(status, used);
    tree_.ForgetMain();
  }
  no_children_ = pid < 0 && errno == ECHILD;
  look_at_ = 0;
  return any;
}

void Supervisor::OnExit(int status, const struct rusage& used) {
  if (child_.start_pipe >= 0) OnStarted();
  if (Has(record::kStartFailed)) return;
  Reach("reaped");
  half_.wait_status = status;
  half_.usage = {NsOf(used.ru_utime), NsOf(used.ru_stime), used.ru_maxrss * 1024, used.ru_majflt,
                 used.ru_minflt,      used.ru_nvcsw,       used.ru_nivcsw};
  half_.exited_ns = WallNow();
  ended_at_ = BootNow();
  if (!Wants(record::kKeepDescendants)) descendants_at_ = After(ended_at_, wish_.grace_ns);
  Changed(record::kExited);
}

// Deadlines are the timerfd's, which counts suspended time; a moment's pause is ppoll's.
void Supervisor::Wait() {
  const int64_t deadline = NextDeadline();
  int64_t wake = check_at_;
  if (Ended() && !no_children_ && !Has(record::kEmpty)) wake = Earlier(wake, look_at_);
  if (moved_) wake = Earlier(wake, published_at_ + kShortestPause);
  if (unread_) wake = Earlier(wake, now_ + kLongestPause);
  for (const OutputStream& stream : streams_) wake = Earlier(wake, stream.due_at());
  if (deadline != timer_at_) {
    int& fd = watched_[kTimer].fd;
    if (fd < 0) fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    const struct itimerspec timer = {{}, TimespecOf(deadline == kNever ? 0 : deadline)};
    const bool armed = timerfd_settime(fd, TFD_TIMER_ABSTIME, &timer, nullptr) == 0;
    if (armed) timer_at_ = deadline;
    if (!armed) wake = Earlier(wake, deadline);  // EMFILE
  }
  for (int i = 0; i < record::kStreams; ++i) watched_[kStdout + i].fd = streams_[i].poll_fd();
  const int64_t span = wake == kNever ? 0 : wake - BootNow();
  const struct timespec timeout = TimespecOf(span > 0 ? span : 0);
  if (ppoll(watched_, kWatchedCount, wake == kNever ? nullptr : &timeout, nullptr) < 0) {
    for (struct pollfd& watched : watched_) watched.revents = 0;
  }
}

// One turn: what was reported by ppoll, then whatever follows from it.
void Supervisor::Turn() {
  now_ = BootNow();
  if (watched_[kTimer].revents != 0) timer_at_ = 0;  // fired: arming it anew makes it unreadable
  if (watched_[kStartPipe].revents != 0) OnStarted();
  if (watched_[kSignals].revents != 0) OnSignals();
  if (unread_) ReadDesired();
  CheckDeadlines();
  DriveEnd();
  MoveOutput();
  CheckEmpty();
  if (!AnyStreamOpen() && !Has(record::kOutputComplete)) {
    half_.flags |= record::kOutputComplete;
    moved_ = true;  // not changed_: the exit is usually next
  }
  if (Ended() && Has(record::kOutputComplete) && Has(record::kEmpty)) Changed(record::kFinal);
  if (changed_ || (moved_ && now_ >= published_at_ + kShortestPause)) PublishNow();
}

void Supervisor::OnSignals() {
  struct signalfd_siginfo signal;
  while (read(watched_[kSignals].fd, &signal, sizeof(signal)) == sizeof(signal)) {
    if (signal.ssi_signo == SIGUSR1) unread_ = true;
    // Orphans of who is dead are ours now.
    if (signal.ssi_signo == SIGCHLD && Reap() && phase_ == Phase::kKilling) check_at_ = now_;
  }
}

void Supervisor::ReadDesired() {
  unread_ = !record_->ReadAgent();
  if (unread_) return;
  look_at_ = 0;
  for (int i = 0; i < record::kStreams; ++i) {
    if (streams_[i].blocked() && Move(i)) moved_ = true;
  }
  if (wish_.terminate_serial <= half_.terminate_serial) return;
  half_.terminate_serial = wish_.terminate_serial;
  Changed(0);
  BeginEnd(wish_.terminate_cause, wish_.terminate_signal, wish_.terminate_grace_ns);
}

void Supervisor::CheckDeadlines() {
  if (phase_ != Phase::kRunning || now_ < NextDeadline()) return;
  record_->ReadAgent();  // deadlines are moved without a signal
  if (now_ < NextDeadline()) return;
  EndCause cause = EndCause::kTimeLimit;
  if (now_ >= descendants_at_) {
    cause = EndCause::kDescendants;
  } else if (wish_.dead_man_ns > 0 && now_ >= wish_.dead_man_ns && now_ >= dead_man_check_at_) {
    cause = EndCause::kDeadMan;
    dead_man_check_at_ = now_ + kIdlePause;
    if (record_->AgentLives()) return;
  }
  BeginEnd(cause, SIGTERM, wish_.grace_ns);
}

// The earliest instant at which something must end.
int64_t Supervisor::NextDeadline() const {
  if (Has(record::kEmpty) || child_.pid == 0) return kNever;
  if (phase_ == Phase::kAsked) return kill_at_;
  if (phase_ == Phase::kKilling) return kNever;
  int64_t deadline = Ended() ? descendants_at_ : limit_at_;
  if (!Ended() && wish_.time_limit_ns > 0) deadline = Earlier(deadline, wish_.time_limit_ns);
  if (wish_.dead_man_ns <= 0) return deadline;
  return Earlier(deadline,
                 wish_.dead_man_ns > dead_man_check_at_ ? wish_.dead_man_ns : dead_man_check_at_);
}

void Supervisor::BeginEnd(EndCause cause, int number, int64_t grace_ns) {
  if (phase_ == Phase::kKilling || Has(record::kEmpty)) return;
  if (number < 1 || number > 64) number = SIGTERM;
  if (phase_ == Phase::kRunning) {
    half_.end_cause = cause;
    half_.end_signal = number;
    half_.end_began_ns = WallNow();
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
  if (phase_ == Phase::kAsked && now_ >= kill_at_ && !Has(record::kEmpty)) {
    Changed(record::kEscalated);
    StartKilling();
  }
  if (phase_ != Phase::kKilling || Has(record::kEmpty) || now_ < check_at_) return;
  // As long as somebody dies: each dead parent makes its children ours.
  for (int round = 0; round < kRoundsAtOnce; ++round) {
    tree_.Kill();
    if (round == 0) Reach("killed");
    if (!Reap() || no_children_) break;
  }
  if (now_ >= unkillable_at_) {
    const int count = tree_.Survivors(half_.survivors, record::kMaxSurvivors);
    if (!Has(record::kUnkillable) || count != half_.survivor_count) Changed(record::kUnkillable);
    half_.survivor_count = count;
  }
  pause_ = Has(record::kUnkillable) ? kUnkillablePause : Earlier(pause_ * 2, kLongestPause);
  check_at_ = now_ + pause_;
}

void Supervisor::StartKilling() {
  phase_ = Phase::kKilling;
  half_.killed_ns = WallNow();
  unkillable_at_ = now_ + kUnkillableAfter;
  pause_ = kShortestPause;
  check_at_ = now_;
}

// True if no child is left that is of the tree.
bool Supervisor::NoChildren() {
  if (no_children_ || now_ < look_at_) return no_children_;
  const int64_t age = now_ - ended_at_;
  look_at_ = After(now_, age > kFirstLook ? age : kFirstLook);
  no_children_ = tree_.OnlyAdoptingShims();
  return no_children_;
}

// Empty: no child, and nobody in the cgroup. The cgroup is looked at again after a pause; nothing
// reports its end in time (inotify lags by 11-16 ms).
void Supervisor::CheckEmpty() {
  if (Has(record::kEmpty) || !Ended() || !NoChildren()) return;
  const bool killing = phase_ == Phase::kKilling;
  if (!killing && check_at_ != kNever && now_ < check_at_) return;
  if (changed_ && !tree_.has_left()) PublishNow();  // before what may take its time
  if (tree_.CgroupPopulated()) {
    if (killing) return;  // DriveEnd() has the next look
    const int64_t longest = phase_ == Phase::kAsked ? kLongestPause : kIdlePause;
    pause_ = pause_ == 0 ? kShortestPause : Earlier(pause_ * 2, longest);
    check_at_ = now_ + pause_;
    return;
  }
  Reach("empty");
  check_at_ = kNever;
  half_.empty_ns = WallNow();
  Changed(record::kEmpty);
  for (OutputStream& stream : streams_) stream.TakeRest();
}

bool Supervisor::Move(int stream) {
  // Less than a segment cannot be kept.
  const int64_t cap = wish_.cap_bytes > wish_.segment_bytes ? wish_.cap_bytes : wish_.segment_bytes;
  return streams_[stream].Move(
      {cap, wish_.segment_bytes, Wants(record::kDropOldest), wish_.acknowledged[stream]});
}

void Supervisor::MoveOutput() {
  uint32_t flags = half_.flags & ~record::kOutputStalled;
  for (int i = 0; i < record::kStreams; ++i) {
    OutputStream& stream = streams_[i];
    const bool readable = (watched_[kStdout + i].revents & POLLIN) != 0;
    if (stream.open() && (readable || now_ >= stream.due_at())) {
      if (changed_) PublishNow();  // what is urgent does not wait for a disk
      bool moved = Move(i);
      // An acknowledgement comes without a signal to who was not stalled.
      if (stream.blocked() && record_->ReadAgent()) moved = Move(i);
      if (moved) moved_ = true;
    } else if (watched_[kStdout + i].revents != 0) {
      stream.Close();  // a hang-up, and nothing to read
    }
    if (stream.stalled()) flags |= record::kOutputStalled;
    if (stream.dropped()) flags |= record::kOutputDropped;
  }
  if (moved_) Reach("moved");
  if (flags != half_.flags) changed_ = true;
  half_.flags = flags;
}

bool Supervisor::AnyStreamOpen() const {
  for (const OutputStream& stream : streams_) {
    if (stream.open()) return true;
  }
  return false;
}

void Supervisor::Changed(uint32_t flags) {
  half_.flags |= flags;
  changed_ = true;
}

void Supervisor::PublishNow() {
  if (tree_.cgroup_refused()) half_.flags |= record::kCgroupRefused;
  record_->Publish();
  published_at_ = now_;
  changed_ = moved_ = false;
  if (Has(record::kStarted)) Reach("started");
  if (Has(record::kExited)) Reach("exit-written");
  // Not earlier, since a migration takes its time; and whatever comes of it is said.
  if (Ended() || Has(record::kStarted)) tree_.LeaveCgroup();
  if (tree_.cgroup_refused() && !Has(record::kCgroupRefused)) PublishNow();
}

}  // namespace shoal::shim
