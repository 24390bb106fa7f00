#include "agent/os/helper_thread.h"

#include <utility>

namespace shoal::agent {

HelperThread::HelperThread() : thread_([this] { Main(); }) {}

HelperThread::~HelperThread() {
  {
    absl::MutexLock lock(&mu_);
    stop_ = true;
  }
  thread_.join();
}

void HelperThread::Run(absl::AnyInvocable<void()> closure) {
  absl::MutexLock lock(&mu_);
  queue_.push_back(std::move(closure));
}

void HelperThread::Main() {
  while (true) {
    absl::AnyInvocable<void()> closure;
    {
      absl::MutexLock lock(&mu_);
      mu_.Await(absl::Condition(this, &HelperThread::HasWork));
      if (queue_.empty()) return;
      closure = std::move(queue_.front());
      queue_.pop_front();
    }
    closure();
  }
}

}  // namespace shoal::agent
