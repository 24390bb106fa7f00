#include "agent/shim/shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/record/orders.h"
#include "agent/shim/failpoint.h"

namespace shoal::shim {
namespace {

using record::Stage;

constexpr int64_t kReadAgainPause = 20 * kMillisecond;  // of a torn half

int64_t NsOf(const struct timeval& time) {
  return int64_t{time.tv_sec} * kSecond + int64_t{time.tv_usec} * 1000;
}

struct timespec TimespecOf(int64_t ns) {
  return {static_cast<time_t>(ns / kSecond), static_cast<long>(ns % kSecond)};
}

}  // namespace

Shim::Shim(Self* self, RecordSlot* record, Command* command, pid_t adopted, int cgroup_fd)
    : self_(self),
      record_(record),
      half_(record->shim()),
      wish_(record->agent()),
      command_(command),
      adopted_(adopted),
      cgroup_fd_(cgroup_fd),
      publisher_(record, &tree_),
      children_(&tree_),
      end_(record, &tree_, &children_, &publisher_),
      streams_{{record::kStdout, half_.prefix.id, &half_.streams[record::kStdout], &index_},
               {record::kStderr, half_.prefix.id, &half_.streams[record::kStderr], &index_},
               {record::kResult, half_.prefix.id, &half_.streams[record::kResult], &index_}},
      input_(&half_) {
  for (struct pollfd& watched : watched_) watched = {-1, POLLIN, 0};
}

// Streams, index, tree and command close what is theirs.
Shim::~Shim() {
  struct signalfd_siginfo late;  // of this process: the next one's come after its start
  while (read(watched_[kSignals].fd, &late, sizeof(late)) == sizeof(late)) {
  }
  const int own[] = {watched_[kSignals].fd, watched_[kTimer].fd, child_.start_pipe, cgroup_fd_};
  for (const int fd : own) {
    if (fd >= 0) close(fd);
  }
}

void Shim::Run() {
  if (StartError error = Start(); error.stage != Stage::kNone) FailStart(error);
  if (adopted_ != 0 && children_.Reap()) Turn();  // it may have ended before there was a signalfd
  while (!Has(record::kFinal)) {
    Wait();
    Turn();
  }
  Reach("final");
}

StartError Shim::Start() {
  StartError error = adopted_ != 0 ? Adopt() : StartError{};
  if (error.stage != Stage::kNone) return error;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  sigaddset(&signals, SIGUSR1);
  watched_[kSignals].fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  if (watched_[kSignals].fd < 0) return {Stage::kSetup, errno};
  if (self_->start_ticks == 0) {
    self_->start_ticks = StartTicksBetween(wish_.spawn_began_ns, BootNow(), getpid());
  }
  half_.shim_start_ticks = self_->start_ticks;
  half_.terminate_serial = wish_.terminate_serial;
  record_->Write();
  Reach("first-half");
  if (wish_.segment_bytes <= 0) return {Stage::kSetup, EINVAL};
  if (adopted_ == 0 && command_->error() != 0) return {Stage::kSetup, command_->error()};
  half_.end_cause = wish_.terminate_cause;  // an end that was wanted beforehand: nothing is run
  if (wish_.terminate_serial != 0) return {Stage::kSetup, ECANCELED};

  index_.Begin(half_.prefix.id, WallNow());
  if (adopted_ != 0) {
    TakePipes();
    if (error = TakeInput(); error.stage != Stage::kNone) return error;
  } else if (error = Fork(); error.stage != Stage::kNone) {
    return error;
  }
  Reach("forked");
  watched_[kStartPipe].fd = child_.start_pipe;
  return {};
}

StartError Shim::Fork() {
  ChildPlan plan = {*command_,
                    -1,
                    -1,
                    -1,
                    -1,
                    wish_.nofile_soft,
                    self_->core_soft,
                    cgroup_fd_,
                    Wants(record::kNeedsCgroup),
                    Wants(record::kForbidChildren),
                    HasTerminal()};
  StartError error = OpenPipes(&plan);
  if (error.stage == Stage::kNone && !HasTerminal()) error = OpenInput(&plan);
  if (error.stage == Stage::kNone) error = StartChild(plan, &child_);
  command_->Drop();
  if (plan.result_fd >= 0) close(plan.result_fd);
  if (!HasTerminal()) {
    if (plan.stdin_fd >= 0) close(plan.stdin_fd);
    close(plan.stdout_fd);
    if (plan.stderr_fd != plan.stdout_fd) close(plan.stderr_fd);
  }
  if (error.stage != Stage::kNone) return error;
  if (child_.outside_cgroup) half_.flags |= record::kCgroupRefused;
  OnForked(child_.outside_cgroup ? -1 : cgroup_fd_, -1);
  return {};
}

StartError Shim::Adopt() {
  half_.flags |= record::kAdopted;
  StartError error = AdoptChild(adopted_, &child_);
  if (error.stage != Stage::kNone) return error;
  OnForked(cgroup_fd_, cgroup_fd_ < 0 ? -1 : fork_protocol::kShimCgroupFd);
  return {};
}

void Shim::OnForked(int cgroup_fd, int refuge_fd) {
  children_.Begin(child_.pid);
  half_.pid = child_.pid;
  half_.start_ticks = child_.start_ticks;
  tree_.Begin(child_.pid, cgroup_fd, refuge_fd);
  end_.BeginLimit();
}

void Shim::TakePipes() {
  for (const record::StreamFacts& stream : record::kStreamTable) {
    const bool is_terminal = HasTerminal() && stream.number == record::kStdout;
    if (HasStream(stream.number) && !is_terminal) streams_[stream.number].TakePipe(stream.pipe_fd);
  }
}

// The write ends go into the plan, whose owner closes them.
StartError Shim::OpenPipes(ChildPlan* plan) {
  if (HasTerminal()) {
    if (StartError error = OpenTerminal(plan); error.stage != Stage::kNone) return error;
  } else {
    plan->stdout_fd = plan->stderr_fd = streams_[record::kStdout].OpenPipe();
    if (plan->stdout_fd < 0) return {Stage::kPipe, errno};
    if (HasStream(record::kStderr)) plan->stderr_fd = streams_[record::kStderr].OpenPipe();
    if (plan->stderr_fd < 0) return {Stage::kPipe, errno};
  }
  if (!HasStream(record::kResult)) return {};
  plan->result_fd = streams_[record::kResult].OpenPipe();
  if (plan->result_fd < 0) return {Stage::kPipe, errno};
  return {};
}

StartError Shim::OpenTerminal(ChildPlan* plan) {
  if (const int error = terminal_.Open(wish_); error != 0) return {Stage::kTerminal, error};
  plan->stdin_fd = plan->stdout_fd = plan->stderr_fd = terminal_.process_side();
  return TakeTerminal();
}

// The way of its output and of its input.
StartError Shim::TakeTerminal() {
  const int side = terminal_.Duplicate();
  if (side < 0) return {Stage::kTerminal, errno};
  streams_[record::kStdout].TakeTerminal(side);
  half_.terminal_serial = wish_.terminal_serial;
  const int error = input_.TakeTerminal(&terminal_, wish_.input_window);
  return error == 0 ? StartError{} : StartError{Stage::kInput, error};
}

StartError Shim::OpenInput(ChildPlan* plan) {
  if (!HasInput()) return {};
  plan->stdin_fd = input_.Open(wish_.input_window);
  return plan->stdin_fd < 0 ? StartError{Stage::kInput, errno} : StartError{};
}

// A parent whose runtime knows no input has made no pipe for it.
StartError Shim::TakeInput() {
  if (!HasInput()) return {};
  const bool is_known = fcntl(fork_protocol::kInputFd, F_GETFD) >= 0;
  if (!is_known) return {HasTerminal() ? Stage::kTerminal : Stage::kInput, EOPNOTSUPP};
  if (HasTerminal()) {
    const int error = terminal_.Take(fork_protocol::kStdoutFd, fork_protocol::kInputFd, wish_);
    return error == 0 ? TakeTerminal() : StartError{Stage::kTerminal, error};
  }
  const int error = input_.Take(fork_protocol::kInputFd, wish_.input_window);
  return error == 0 ? StartError{} : StartError{Stage::kInput, error};
}

// The start pipe is at EOF or has an error.
void Shim::OnStarted() {
  watched_[kStartPipe].fd = -1;
  if (StartError error = FinishStart(&child_); error.stage != Stage::kNone) return FailStart(error);
  Reach("executed");
  half_.started_ns = WallNow();
  index_.Begin(half_.prefix.id, half_.started_ns);
  end_.BeginLimit();
  publisher_.Changed(record::kStarted);
}

void Shim::FailStart(StartError error) {
  half_.fail_stage = error.stage;
  half_.fail_errno = error.error_number;
  publisher_.Changed(record::kStartFailed);
  if (adopted_ != 0 && child_.pid != 0) {  // it may run, and must not
    close(child_.start_pipe);
    child_.start_pipe = -1;
    now_ = BootNow();
    publisher_.PublishNow(
        now_);  // a caller that waits for the start does not wait for what follows
    end_.StartKilling(now_);
  }
  if (child_.pid != 0) return;  // it is still to be reaped
  for (Collector& stream : streams_) stream.Close();
  input_.Close();
  terminal_.Close();
  Turn();
}

// The main process was reaped: once, whichever step of the turn has seen it.
void Shim::TakeExit() {
  const Subreaper::Exit* exit = children_.exit();
  if (exit == nullptr || Ended()) return;
  if (child_.start_pipe >= 0) OnStarted();
  if (Has(record::kStartFailed)) return;
  Reach("reaped");
  const struct rusage& used = exit->used;
  half_.wait_status = exit->status;
  half_.usage = {NsOf(used.ru_utime), NsOf(used.ru_stime), used.ru_maxrss * 1024, used.ru_majflt,
                 used.ru_minflt,      used.ru_nvcsw,       used.ru_nivcsw};
  // Not before the start, which may have been seen only now.
  half_.exited_ns = exit->wall_ns > half_.started_ns ? exit->wall_ns : half_.started_ns;
  end_.OnExit(exit->boot_ns);
  terminal_.LetGo();
  if (Wants(record::kKeepDescendants)) TakeLastOutput();
  publisher_.Changed(record::kExited);
}

// No end of file comes behind what the main process wrote last, while descendants are kept: it is in the ends of the
// streams when the exit is told.
void Shim::TakeLastOutput() {
  constexpr int kMost = 4;  // of those, too, who write without end
  for (int i = 0; i < record::kStreams; ++i) {
    for (int moves = 0; moves < kMost && streams_[i].open() && Move(i); ++moves) {
    }
  }
}

// Deadlines are the timerfd's, which counts suspended time; a moment's pause is ppoll's.
void Shim::Wait() {
  const int64_t deadline = end_.deadline();
  int64_t wake = Earlier(end_.look_at(), publisher_.due_at());
  if (unread_) wake = Earlier(wake, now_ + kReadAgainPause);
  for (const Collector& stream : streams_) wake = Earlier(wake, stream.due_at());
  wake = Earlier(wake, input_.due_at());
  if (deadline != timer_at_) {
    int& fd = watched_[kTimer].fd;
    if (fd < 0) fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    const struct itimerspec timer = {{}, TimespecOf(deadline == kNever ? 0 : deadline)};
    const bool armed = timerfd_settime(fd, TFD_TIMER_ABSTIME, &timer, nullptr) == 0;
    if (armed) timer_at_ = deadline;
    if (!armed) wake = Earlier(wake, deadline);  // EMFILE
  }
  for (int i = 0; i < record::kStreams; ++i) watched_[kFirstStream + i].fd = streams_[i].poll_fd();
  watched_[kInput] = {input_.poll_fd(), input_.poll_events(), 0};
  const int64_t span = wake == kNever ? 0 : wake - BootNow();
  const struct timespec timeout = TimespecOf(span > 0 ? span : 0);
  if (ppoll(watched_, kWatchedCount, wake == kNever ? nullptr : &timeout, nullptr) < 0) {
    for (struct pollfd& watched : watched_) watched.revents = 0;
  }
}

// One turn: what was reported by ppoll, then whatever follows from it.
void Shim::Turn() {
  now_ = BootNow();
  if (watched_[kTimer].revents != 0) timer_at_ = 0;  // fired: arming it anew makes it unreadable
  if (watched_[kStartPipe].revents != 0) OnStarted();
  if (watched_[kSignals].revents != 0) OnSignals();
  TakeExit();
  if (unread_) ReadDesired();
  end_.CheckDeadlines(now_);
  end_.Drive(now_);
  TakeExit();
  if (Has(record::kEmpty) && Wants(record::kDropRest)) DropRest();
  FeedInput();
  MoveOutput();
  if (end_.CheckEmpty(now_)) {
    for (Collector& stream : streams_) stream.TakeRest();
    if (input_.Close() != Feeder::News::kNone) publisher_.Changed();
    terminal_.Close();
  }
  const uint32_t output_over = record::kOutputComplete | record::kRestDropped;
  if (!AnyStreamOpen() && !Has(output_over)) {
    half_.flags |= record::kOutputComplete;
    publisher_.Moved();  // no Changed(): the exit is usually next
  }
  if (Ended() && Has(output_over) && Has(record::kEmpty)) {
    publisher_.Changed(record::kFinal | (MayStay() ? record::kStays : 0u));
  }
  publisher_.MaybePublish(now_);
}

// Only where nothing can be left of this process: its tree was proven empty by its cgroup and by the
// last child, and neither its start nor its end was out of the common.
bool Shim::MayStay() const {
  if (!Wants(record::kStay) || adopted_ != 0 || cgroup_fd_ < 0) return false;
  if (Wants(record::kKeepDescendants) || Wants(record::kForbidChildren)) return false;
  if (wish_.input_window > 0 || HasTerminal()) return false;
  if (Has(record::kUnkillable | record::kCgroupRefused)) return false;
  const Stage failed = half_.fail_stage;
  if (failed != Stage::kNone && failed != Stage::kChdir && failed != Stage::kExec) return false;
  siginfo_t child;  // adopting shims are children, too
  return waitid(P_ALL, 0, &child, WEXITED | WNOHANG | WNOWAIT | __WALL) != 0 && errno == ECHILD;
}

void Shim::OnSignals() {
  struct signalfd_siginfo signal;
  while (read(watched_[kSignals].fd, &signal, sizeof(signal)) == sizeof(signal)) {
    if (signal.ssi_signo == SIGUSR1) unread_ = true;
    if (signal.ssi_signo == SIGCHLD && children_.Reap()) end_.OnReaped(now_);
  }
}

void Shim::ReadDesired() {
  unread_ = !record_->ReadAgent();
  if (unread_) return;
  children_.Look();
  if (terminal_.Resize(wish_, &half_)) publisher_.Changed();
  for (int i = 0; i < record::kStreams; ++i) {
    if (streams_[i].blocked() && Move(i)) publisher_.Moved();
  }
  if (wish_.terminate_serial <= half_.terminate_serial) return;
  half_.terminate_serial = wish_.terminate_serial;
  publisher_.Changed();
  end_.Begin(now_, wish_.terminate_cause, wish_.terminate_signal, wish_.terminate_grace_ns);
}

void Shim::FeedInput() {
  const int64_t before = half_.input_fed;
  switch (input_.Step(watched_[kInput].revents, wish_, now_)) {
    case Feeder::News::kNone:
      break;
    case Feeder::News::kMoved:
      publisher_.Fed(now_, half_.input_fed - before);
      break;
    case Feeder::News::kChanged:
      publisher_.Changed();
      break;
  }
}

void Shim::DropRest() {
  if (!AnyStreamOpen()) return;
  for (Collector& stream : streams_) stream.Close();
  half_.flags |= record::kRestDropped;
}

bool Shim::Move(int stream) {
  // Less than a segment cannot be kept.
  const int64_t cap = wish_.cap_bytes > wish_.segment_bytes ? wish_.cap_bytes : wish_.segment_bytes;
  return streams_[stream].Move(
      {cap, wish_.segment_bytes, Wants(record::kDropOldest), wish_.acknowledged[stream]});
}

void Shim::MoveOutput() {
  uint32_t flags = half_.flags & ~record::kOutputStalled;
  int error = 0;
  bool any_moved = false;
  for (int i = 0; i < record::kStreams; ++i) {
    Collector& stream = streams_[i];
    const bool readable = (watched_[kFirstStream + i].revents & POLLIN) != 0;
    if (stream.open() && (readable || now_ >= stream.due_at())) {
      // What is urgent does not wait for a disk.
      if (publisher_.has_changed()) publisher_.PublishNow(now_);
      bool moved = Move(i);
      // An acknowledgement comes without a signal to a shim that was not stalled.
      if (stream.blocked() && record_->ReadAgent()) moved = Move(i);
      any_moved |= moved;
    } else if (watched_[kFirstStream + i].revents != 0) {
      stream.Close();  // a hang-up, and nothing to read
    }
    if (stream.stalled()) flags |= record::kOutputStalled;
    if (stream.dropped()) flags |= record::kOutputDropped;
    if (error == 0) error = stream.error();
  }
  if (any_moved) publisher_.Moved();
  if (publisher_.due_at() != kNever) Reach("moved");
  if (flags != half_.flags || error != half_.stall_errno) publisher_.Changed();
  half_.flags = flags;
  half_.stall_errno = error;
}

bool Shim::AnyStreamOpen() const {
  for (const Collector& stream : streams_) {
    if (stream.open()) return true;
  }
  return false;
}

}  // namespace shoal::shim
