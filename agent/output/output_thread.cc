#include "agent/output/output_thread.h"

#include <utility>

namespace shoal::agent {

OutputThread::OutputThread() {
  sem_init(&woken_, /*pshared=*/0, 0);
  thread_ = std::thread([this] { Main(); });
}

OutputThread::~OutputThread() {
  {
    MutexLock lock(&mu_);
    stop_ = true;
  }
  sem_post(&woken_);
  thread_.join();
  sem_destroy(&woken_);
}

void OutputThread::Wake(const std::shared_ptr<OutputWork>& work) {
  {
    MutexLock lock(&mu_);
    if (!queued_.insert(work.get()).second) return;
    queue_.push_back(work);
    if (!std::exchange(is_waiting_, false)) return;
  }
  sem_post(&woken_);
}

std::shared_ptr<OutputWork> OutputThread::Take() {
  MutexLock lock(&mu_);
  is_waiting_ = queue_.empty();
  if (is_waiting_) return nullptr;
  std::shared_ptr<OutputWork> work = std::move(queue_.front());
  queue_.pop_front();
  queued_.erase(work.get());
  return work;
}

bool OutputThread::IsStopped() {
  MutexLock lock(&mu_);
  return stop_;
}

void OutputThread::Main() {
  while (!IsStopped()) {
    const std::shared_ptr<OutputWork> work = Take();
    if (work == nullptr) {
      sem_wait(&woken_);  // after EINTR, too, it looks again
    } else if (work->DoSome()) {
      Wake(work);
    }
  }
}

}  // namespace shoal::agent
