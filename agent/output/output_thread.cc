#include "agent/output/output_thread.h"

#include <utility>

namespace shoal::agent {

OutputThread::OutputThread() : thread_([this] { Main(); }) {}

OutputThread::~OutputThread() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
  }
  thread_.join();
}

void OutputThread::Wake(const std::shared_ptr<OutputWork>& work) {
  MutexLock lock(&mu_);
  if (queued_.insert(work.get()).second) queue_.push_back(work);
}

void OutputThread::Main() {
  for (;;) {
    std::shared_ptr<OutputWork> work;
    {
      MutexLock lock(&mu_);
      mu_.Await([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return HasWork(); });
      if (stop_) return;
      work = std::move(queue_.front());
      queue_.pop_front();
      queued_.erase(work.get());
    }
    if (work->DoSome()) Wake(work);
  }
}

}  // namespace shoal::agent
