#include "agent/os/shim_watch.h"

#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/os/process_signals.h"

namespace shoal::agent {
namespace {

constexpr absl::Duration kPollInterval = absl::Milliseconds(100);
constexpr int kPollsToALockOnly = 10;
constexpr size_t kSpares = 2;  // a pidfd, and a look at /proc
constexpr rlim_t kLastDescriptors = 64;

// The kernel gives the lowest number that is free.
bool IsOfTheLast(int fd) {
  rlimit limit{};
  return getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
         static_cast<rlim_t>(fd) + kLastDescriptors >= limit.rlim_cur;
}

// REQUIRES: `child` was not reaped yet, so the pid is its.
absl::StatusOr<UniqueFd> OpenChild(pid_t child) {
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, child, 0)));
  if (!pidfd) return absl::ResourceExhaustedError("no pidfd");
  return pidfd;
}

}  // namespace

ShimWatch::ShimWatch(EventLoop* loop, const Records* records,
                     absl::AnyInvocable<void(int slot)> on_death)
    : loop_(loop), records_(records), on_death_(std::move(on_death)), spares_(kSpares) {}

ShimWatch::~ShimWatch() {
  if (poll_) loop_->Cancel(*poll_);
  for (auto& [slot, shim] : shims_) {
    if (shim.pidfd) loop_->Unwatch(shim.pidfd.get());
  }
}

void ShimWatch::AddChild(int slot, pid_t pid) {
  Shim& shim = shims_[slot];
  shim.child = pid;
  if (!Reach(slot, &shim)) {
    unreached_.insert(slot);
    ArmPoll();
  }
}

void ShimWatch::AddRecovered(int slot, bool is_readable) {
  shims_[slot].lock_only = !is_readable;
  if (!Reach(slot, &shims_[slot])) {
    unreached_.insert(slot);
    ArmPoll();
  }
}

void ShimWatch::AddForked(int slot) {
  shims_[slot].unanswered = true;
  unreached_.insert(slot);
  ArmPoll();
}

void ShimWatch::NoteAnswered(int slot) {
  const auto found = shims_.find(slot);
  if (found != shims_.end()) found->second.unanswered = false;
}

void ShimWatch::MaybeReach(int slot) {
  if (!unreached_.contains(slot)) return;
  const auto found = shims_.find(slot);
  if (found == shims_.end()) return;
  if (Reach(slot, &found->second)) {
    unreached_.erase(slot);
    if (found->second.wake) Wake(slot);
  } else if (!found->second.unanswered && IsGone(slot, found->second)) {
    OnReadable(slot);
  }
}

absl::StatusOr<UniqueFd> ShimWatch::Open(int slot, const Shim& shim) const {
  if (shim.child != 0) return OpenChild(shim.child);
  const RecordFile::Halves halves = records_->Read(slot);
  if (!halves.shim) return absl::UnavailableError("has not written its half yet");
  return OpenProcess(halves.shim->shim_pid, halves.shim->shim_start_ticks);
}

bool ShimWatch::Reach(int slot, Shim* shim) {
  if (is_short_) return false;
  absl::StatusOr<UniqueFd> pidfd = Open(slot, *shim);
  is_short_ = pidfd.ok() ? IsOfTheLast(pidfd->get()) : absl::IsResourceExhausted(pidfd.status());
  if (!pidfd.ok() || is_short_) return false;
  const absl::Status watched =
      loop_->Watch(pidfd->get(), EPOLLIN, [this, slot](uint32_t) { OnReadable(slot); });
  if (!watched.ok()) return false;
  shim->pidfd = *std::move(pidfd);
  return true;
}

void ShimWatch::Wake(int slot) {
  const auto found = shims_.find(slot);
  if (found == shims_.end()) return;
  Shim& shim = found->second;
  if (shim.pidfd) {
    SendSignal(shim.pidfd.get(), SIGUSR1).IgnoreError();  // Gone: its death is on its way.
  } else {
    shim.wake = !SignalUnwatched(slot, shim, SIGUSR1);
  }
}

void ShimWatch::End(int slot) {
  const auto found = shims_.find(slot);
  if (found == shims_.end()) return;
  const Shim& shim = found->second;
  if (shim.pidfd) {
    SendSignal(shim.pidfd.get(), SIGKILL).IgnoreError();
  } else {
    SignalUnwatched(slot, shim, SIGKILL);
  }
}

bool ShimWatch::SignalUnwatched(int slot, const Shim& shim, int number) {
  for (size_t i = 0; i < kSpares; ++i) spares_.GiveUp();
  bool is_sent = false;
  if (const absl::StatusOr<UniqueFd> pidfd = Open(slot, shim); pidfd.ok()) {
    is_sent = SendSignal(pidfd->get(), number).ok();
  }
  spares_.Refill();
  return is_sent;
}

void ShimWatch::OnReadable(int slot) {
  Forget(slot);
  on_death_(slot);
}

void ShimWatch::Forget(int slot) {
  const auto found = shims_.find(slot);
  if (found == shims_.end()) return;
  Shim& shim = found->second;
  if (shim.pidfd) loop_->Unwatch(shim.pidfd.get());
  if (shim.child != 0) waitpid(shim.child, nullptr, WNOHANG);
  shims_.erase(found);
  unreached_.erase(slot);
}

bool ShimWatch::IsGone(int slot, const Shim& shim) const {
  if (shim.child == 0) return !records_->IsLocked(slot);
  siginfo_t info{};
  return waitid(P_PID, static_cast<id_t>(shim.child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
         info.si_pid == shim.child;
}

// True at the second poll that finds the lock free: by then the process that released it has had
// the time to answer.
bool ShimWatch::HasNoAnswer(int slot, Shim* shim) const {
  return shim->unanswered && IsGone(slot, *shim) && std::exchange(shim->was_unlocked, true);
}

void ShimWatch::Poll() {
  poll_.reset();
  is_short_ = false;
  const bool ask_locks = ++polls_ % kPollsToALockOnly == 0;
  const std::vector<int> slots(unreached_.begin(), unreached_.end());
  for (int slot : slots) {
    const auto found = shims_.find(slot);
    if (found == shims_.end() || (found->second.lock_only && !ask_locks)) continue;
    if (HasNoAnswer(slot, &found->second)) NoteAnswered(slot);
    MaybeReach(slot);
  }
  ArmPoll();
}

void ShimWatch::ArmPoll() {
  if (poll_ || unreached_.empty()) return;
  poll_ = loop_->After(kPollInterval, [this] { Poll(); });
}

}  // namespace shoal::agent
