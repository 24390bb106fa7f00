#include "agent/loop/fair_queue.h"

#include <time.h>

#include <algorithm>
#include <iterator>

namespace shoal::agent {
namespace {

// So much an identity may owe: a second of the processor, whatever it has used.
constexpr absl::Duration kMostOwed = absl::Seconds(1);
constexpr size_t kMostIdle = 256;

}  // namespace

absl::Duration FairQueue::ThreadCpuTime() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return absl::DurationFromTimespec(now);
}

FairQueue::FairQueue(EventLoop* loop, CpuClock clock)
    : FairQueue([loop](Closure closure) { loop->Post(std::move(closure)); }, std::move(clock)) {}

FairQueue::FairQueue(ToThread to_thread, CpuClock clock)
    : to_thread_(std::move(to_thread)), clock_(std::move(clock)) {}

void FairQueue::Post(std::string identity, std::string connection, Closure closure) {
  {
    MutexLock lock(&mu_);
    incoming_.push_back({std::move(identity), std::move(connection), std::move(closure)});
    if (std::exchange(is_posted_, true)) return;
  }
  to_thread_([this] { Run(); });
}

void FairQueue::Run() {
  TakeIncoming();
  RunSome();
  {
    MutexLock lock(&mu_);
    is_posted_ = !turns_.empty() || !incoming_.empty();
    if (!is_posted_) return;
  }
  to_thread_([this] { Run(); });
}

void FairQueue::TakeIncoming() {
  std::vector<Task> tasks;
  {
    MutexLock lock(&mu_);
    tasks.swap(incoming_);
  }
  for (Task& task : tasks) Enter(std::move(task));
}

void FairQueue::Enter(Task task) {
  if (task.identity != last_identity_) {
    if (!last_identity_.empty()) several_until_ = clock_() + kSeveralFor;
    last_identity_ = task.identity;
  }
  Share& share = shares_[task.identity];
  if (share.connections.empty()) {
    // What it owes is paid by the time that it has left to the others.
    share.credit = std::min(absl::ZeroDuration(), share.credit + (clock_() - share.idle_since));
    const bool owes_nothing = share.credit == absl::ZeroDuration();
    turns_.insert(owes_nothing ? turns_.begin() + newcomers_++ : turns_.end(), task.identity);
  }
  auto connection =
      std::find_if(share.connections.begin(), share.connections.end(),
                   [&task](const Connection& one) { return one.first == task.connection; });
  if (connection == share.connections.end()) {
    share.connections.emplace_back(std::move(task.connection), std::deque<Closure>());
    connection = std::prev(share.connections.end());
  }
  connection->second.push_back(std::move(task.closure));
}

void FairQueue::RunSome() {
  absl::Duration now = clock_();
  const absl::Duration end = now + (now < several_until_ ? kPerTurnOfSeveral : kPerTurn);
  while (!turns_.empty() && now < end) {
    const std::string identity = std::move(turns_.front());
    turns_.pop_front();
    newcomers_ = std::max<std::ptrdiff_t>(newcomers_ - 1, 0);
    Share& share = shares_[identity];
    const bool is_alone = turns_.empty();
    share.credit = is_alone ? kQuantum : std::min(share.credit + kQuantum, kQuantum);
    now = RunShare(identity, &share, now, end);
    if (!share.connections.empty()) turns_.push_back(identity);
  }
  if (shares_.size() <= kMostIdle) return;
  absl::erase_if(shares_, [now](const auto& one) {
    const Share& share = one.second;
    return share.connections.empty() &&
           share.credit + (now - share.idle_since) >= absl::ZeroDuration();
  });
}

absl::Duration FairQueue::RunShare(const std::string& identity, Share* share, absl::Duration now,
                                   absl::Duration end) {
  while (share->credit > absl::ZeroDuration() && !share->connections.empty() && now < end) {
    Connection connection = std::move(share->connections.front());
    share->connections.pop_front();
    Closure closure = std::move(connection.second.front());
    connection.second.pop_front();
    if (!connection.second.empty()) share->connections.push_back(std::move(connection));
    closure();
    closure = nullptr;  // what it holds may not outlive its run
    const absl::Duration before = std::exchange(now, clock_());
    if (share->used_in_turn == absl::ZeroDuration()) ran_in_turn_.push_back(identity);
    // Never nothing, so that one that ran is known by it.
    const absl::Duration used = std::max(now - before, absl::Nanoseconds(1));
    share->used_in_turn += used;
    share->credit = std::max(share->credit - used, -kMostOwed);
  }
  share->idle_since = now;
  return now;
}

void FairQueue::ChargeTurnEnd(absl::Duration cpu) {
  absl::Duration total;
  for (const std::string& identity : ran_in_turn_) total += shares_[identity].used_in_turn;
  if (total == absl::ZeroDuration()) return;
  for (const std::string& identity : std::exchange(ran_in_turn_, {})) {
    Share& share = shares_[identity];
    const double part = absl::FDivDuration(std::exchange(share.used_in_turn, {}), total);
    share.credit = std::max(share.credit - part * cpu, -kMostOwed);
  }
}

}  // namespace shoal::agent
