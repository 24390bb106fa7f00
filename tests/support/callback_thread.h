// The thread on which a fake calls back, one callback at a time, in the order in which they came.
//
// Ownership:     shared by a FakeLink and what it has made.
// Thread-safety: thread-safe.
// Blocking:      Drain() and the destructor wait for what was posted before.
// Errors:        none.
#ifndef SHOAL_TESTS_SUPPORT_CALLBACK_THREAD_H_
#define SHOAL_TESTS_SUPPORT_CALLBACK_THREAD_H_

#include <deque>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "common/mutex.h"
#include "common/notification.h"
#include "shoal/link/callback_scope.h"

namespace shoal::testing {

class CallbackThread {
 public:
  CallbackThread() : thread_([this] { Run(); }) {}
  ~CallbackThread() {
    {
      MutexLock lock(&mu_);
      is_stopping_ = true;
    }
    thread_.join();
  }

  void Post(absl::AnyInvocable<void()> callback) {
    MutexLock lock(&mu_);
    callbacks_.push_back(std::move(callback));
  }

  // REQUIRES: not in a callback.
  void Drain() {
    Notification reached;
    Post([&reached] { reached.Notify(); });
    reached.WaitForNotification();
  }

 private:
  void Run() {
    for (;;) {
      absl::AnyInvocable<void()> next;
      {
        MutexLock lock(&mu_);
        auto has_work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
          return is_stopping_ || !callbacks_.empty();
        };
        mu_.Await(has_work);
        if (callbacks_.empty()) return;
        next = std::move(callbacks_.front());
        callbacks_.pop_front();
      }
      CallbackScope scope;
      next();
      next = nullptr;  // inside, too: what it holds may be the last of a Host
    }
  }

  Mutex mu_;
  bool is_stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<absl::AnyInvocable<void()>> callbacks_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_CALLBACK_THREAD_H_
