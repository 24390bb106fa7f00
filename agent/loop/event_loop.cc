#include "agent/loop/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr int kEventsPerTurn = 128;
constexpr int64_t kNanosPerSecond = 1'000'000'000;

int64_t BootTimeNanos() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return int64_t{now.tv_sec} * kNanosPerSecond + now.tv_nsec;
}

// What epoll gives back: which descriptor, and which of the watches that its number has had.
uint64_t TagOf(int fd, uint32_t generation) {
  return uint64_t{generation} << 32 | static_cast<uint32_t>(fd);
}

absl::Status AddToEpoll(int epoll, int fd, uint32_t events, uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
    return ErrnoStatus(errno, absl::StrCat("epoll_ctl for fd ", fd));
  }
  return absl::OkStatus();
}

// eventfd and timerfd: what is read is a count, and of no interest.
void Drain(int fd) {
  uint64_t count = 0;
  while (read(fd, &count, sizeof(count)) < 0 && errno == EINTR) {
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<EventLoop>> EventLoop::Create() {
  UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return ErrnoStatus(errno, "epoll_create1 for the event loop");
  UniqueFd wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return ErrnoStatus(errno, "eventfd for the event loop");
  UniqueFd timer(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer) return ErrnoStatus(errno, "timerfd_create for the event loop");
  for (int fd : {wake.get(), timer.get()}) {
    SHOAL_RETURN_IF_ERROR(AddToEpoll(epoll.get(), fd, EPOLLIN, TagOf(fd, 0)));
  }
  return std::unique_ptr<EventLoop>(
      new EventLoop(std::move(epoll), std::move(wake), std::move(timer)));
}

EventLoop::EventLoop(UniqueFd epoll, UniqueFd wake, UniqueFd timer)
    : epoll_(std::move(epoll)), wake_(std::move(wake)), timer_(std::move(timer)) {}

void EventLoop::Post(Closure closure) {
  bool first = false;
  {
    MutexLock lock(&mu_);
    first = posted_.empty();
    posted_.push_back(std::move(closure));
  }
  // The thread that found the queue empty wakes the loop; the others need not.
  if (first) Wake();
}

void EventLoop::Stop() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
  }
  Wake();
}

void EventLoop::Wake() {
  // Fails only when the count would overflow, and then the loop is awake.
  const uint64_t one = 1;
  while (write(wake_.get(), &one, sizeof(one)) < 0 && errno == EINTR) {
  }
}

absl::Status EventLoop::Watch(int fd, uint32_t events, absl::AnyInvocable<void(uint32_t)> handler) {
  const uint32_t generation = ++last_generation_;
  SHOAL_RETURN_IF_ERROR(AddToEpoll(epoll_.get(), fd, events, TagOf(fd, generation)));
  handlers_[fd] = Watched{generation, std::make_shared<Handler>(std::move(handler))};
  return absl::OkStatus();
}

void EventLoop::Rewatch(int fd, uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = TagOf(fd, handlers_.at(fd).generation);
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::Unwatch(int fd) {
  if (handlers_.erase(fd) != 0) epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

EventLoop::TimerId EventLoop::After(absl::Duration delay, Closure closure) {
  // At least one nanosecond ahead, so that a timer made by a timer waits for the next turn.
  const int64_t now = BootTimeNanos();
  const int64_t span = std::clamp(absl::ToInt64Nanoseconds(delay), int64_t{1},
                                  std::numeric_limits<int64_t>::max() - now);
  const TimerId timer = ++last_timer_;
  timers_.emplace(std::make_pair(now + span, timer), std::move(closure));
  timer_times_[timer] = now + span;
  return timer;
}

void EventLoop::Cancel(TimerId timer) {
  auto found = timer_times_.find(timer);
  if (found == timer_times_.end()) return;
  timers_.erase({found->second, timer});
  timer_times_.erase(found);
}

void EventLoop::Run(absl::FunctionRef<void()> on_turn_end) {
  while (RunTurn(on_turn_end)) {
  }
}

bool EventLoop::RunTurn(absl::FunctionRef<void()> on_turn_end) {
  // What is due already, as a closure for the next turn is, takes no timer.
  const bool is_due = !timers_.empty() && timers_.begin()->first.first <= BootTimeNanos();
  if (!is_due) ArmTimer();
  std::array<epoll_event, kEventsPerTurn> events;
  const int count = epoll_wait(epoll_.get(), events.data(), kEventsPerTurn, is_due ? 0 : -1);

  // Drained before the closures are taken, so that a post in between wakes the next turn; taken
  // before anything runs, so that what this turn posts belongs to the next one.
  for (int i = 0; i < count; ++i) DrainOwn(events[static_cast<size_t>(i)].data.u64);
  std::vector<Closure> closures;
  bool stop = false;
  {
    MutexLock lock(&mu_);
    closures.swap(posted_);
    stop = std::exchange(stop_, false);
  }

  bool ran = !closures.empty();
  for (int i = 0; i < count; ++i) {  // count is -1 after EINTR
    ran |= Dispatch(events[static_cast<size_t>(i)].data.u64, events[static_cast<size_t>(i)].events);
  }
  ran |= RunDueTimers();
  for (Closure& closure : closures) {
    closure();
    closure = nullptr;  // what it holds may not outlive its run
  }
  if (ran) on_turn_end();
  return !stop;
}

void EventLoop::DrainOwn(uint64_t tag) {
  if (tag == TagOf(wake_.get(), 0)) Drain(wake_.get());
  if (tag == TagOf(timer_.get(), 0)) {
    Drain(timer_.get());
    armed_ns_ = 0;
  }
}

bool EventLoop::Dispatch(uint64_t tag, uint32_t events) {
  const int fd = static_cast<int>(static_cast<uint32_t>(tag));
  const auto generation = static_cast<uint32_t>(tag >> 32);
  auto found = handlers_.find(fd);
  if (found == handlers_.end() || found->second.generation != generation) return false;
  std::shared_ptr<Handler> handler = found->second.handler;
  (*handler)(events);
  return true;
}

bool EventLoop::RunDueTimers() {
  if (timers_.empty()) return false;
  const int64_t now = BootTimeNanos();
  bool ran = false;
  // One at a time: each may cancel the next.
  while (!timers_.empty() && timers_.begin()->first.first <= now) {
    Closure closure = std::move(timers_.begin()->second);
    timer_times_.erase(timers_.begin()->first.second);
    timers_.erase(timers_.begin());
    closure();
    ran = true;
  }
  return ran;
}

void EventLoop::ArmTimer() {
  const int64_t nearest = timers_.empty() ? 0 : timers_.begin()->first.first;
  if (nearest == armed_ns_) return;
  itimerspec when{};
  when.it_value.tv_sec = nearest / kNanosPerSecond;
  when.it_value.tv_nsec = nearest % kNanosPerSecond;
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &when, nullptr);
  armed_ns_ = nearest;
}

}  // namespace shoal::agent
