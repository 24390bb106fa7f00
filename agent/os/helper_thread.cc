#include "agent/os/helper_thread.h"

#include <utility>

namespace shoal::agent {

HelperThread::HelperThread() : thread_([this] { Main(); }) {}

HelperThread::~HelperThread() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
  }
  thread_.join();
}

void HelperThread::Run(absl::AnyInvocable<void()> closure) {
  MutexLock lock(&mu_);
  queue_.push_back(std::move(closure));
}

void HelperThread::Main() {
  while (true) {
    absl::AnyInvocable<void()> closure;
    {
      MutexLock lock(&mu_);
      mu_.Await([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return HasWork(); });
      if (queue_.empty()) return;
      closure = std::move(queue_.front());
      queue_.pop_front();
    }
    closure();
  }
}

}  // namespace shoal::agent
