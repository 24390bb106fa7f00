#include "shoal/wire/overdue_watch.h"

#include <utility>

namespace shoal {
namespace {

constexpr absl::Duration kLookPause = absl::Seconds(1);
// What gRPC itself is given to notice.
constexpr absl::Duration kSlack = absl::Milliseconds(500);

}  // namespace

std::shared_ptr<OverdueWatch> OverdueWatch::Get() {
  static Mutex* const kMu = new Mutex;
  static std::weak_ptr<OverdueWatch>* const kCurrent = new std::weak_ptr<OverdueWatch>;
  MutexLock lock(kMu);
  std::shared_ptr<OverdueWatch> watch = kCurrent->lock();
  if (watch == nullptr) {
    watch = std::shared_ptr<OverdueWatch>(new OverdueWatch);
    *kCurrent = watch;
  }
  return watch;
}

OverdueWatch::OverdueWatch() : thread_([this] { Loop(); }) {}

OverdueWatch::~OverdueWatch() {
  {
    MutexLock lock(&mu_);
    is_stopping_ = true;
  }
  thread_.join();
}

int OverdueWatch::Add(Cancel cancel) {
  MutexLock lock(&mu_);
  watched_[next_id_] = std::move(cancel);
  return next_id_++;
}

void OverdueWatch::Drop(int id) {
  MutexLock lock(&mu_);
  watched_.erase(id);
}

void OverdueWatch::Loop() {
  MutexLock lock(&mu_);
  auto is_stopping = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return is_stopping_; };
  while (!mu_.AwaitWithTimeout(is_stopping, kLookPause)) {
    const BootTime due_before = BootTime::Now() + -kSlack;
    for (const auto& [id, cancel] : watched_) cancel(due_before);
  }
}

}  // namespace shoal
