// One method of a FakeLink: what it was asked, and what the test answers.
//
// Ownership:     a FakeLink's.
// Thread-safety: thread-safe.
// Blocking:      Await(), for a minute at most; the rest never blocks.
// Errors:        a call that does not come, or an answer without a call, fails the test.
#ifndef SHOAL_TESTS_SUPPORT_FAKE_METHOD_H_
#define SHOAL_TESTS_SUPPORT_FAKE_METHOD_H_

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "shoal/call.h"
#include "tests/support/callback_thread.h"

namespace shoal::testing {

inline constexpr absl::Duration kCallDeadline = absl::Seconds(60);

template <typename Request, typename Response>
class FakeMethod {
 public:
  using Answerer = std::function<absl::StatusOr<Response>(const Request&)>;

  explicit FakeMethod(std::shared_ptr<CallbackThread> thread) : thread_(std::move(thread)) {}

  void Call(Request request, const CallOptions& options, Done<Response> done) {
    Answerer answerer;
    {
      MutexLock lock(&mu_);
      requests_.push_back(request);
      options_.push_back(options);
      if (is_closed_) {
        answerer = [](const Request&) { return absl::CancelledError("cancelled"); };
      } else if (answerer_ == nullptr) {
        waiting_.push_back(std::move(done));
        return;
      } else {
        answerer = answerer_;
      }
    }
    thread_->Post([answerer, request = std::move(request), done = std::move(done)]() mutable {
      std::move(done)(answerer(request));
    });
  }

  // Each call from now on is answered at once; on the thread of the callbacks.
  void AnswerAll(Answerer answerer) {
    MutexLock lock(&mu_);
    answerer_ = std::move(answerer);
  }
  // Each call from now on waits for Answer().
  void Hold() { AnswerAll(nullptr); }

  // The oldest call that was not answered.
  void Answer(absl::StatusOr<Response> answer) {
    Done<Response> done;
    {
      MutexLock lock(&mu_);
      ASSERT_FALSE(waiting_.empty()) << "no call waits for " << Request().GetTypeName();
      done = std::move(waiting_.front());
      waiting_.pop_front();
    }
    thread_->Post([done = std::move(done), answer = std::move(answer)]() mutable {
      std::move(done)(std::move(answer));
    });
  }

  // The n-th call, from 1.
  Request Await(size_t nth) {
    MutexLock lock(&mu_);
    auto has_come = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return requests_.size() >= nth; };
    if (!mu_.AwaitWithTimeout(has_come, kCallDeadline)) {
      ADD_FAILURE() << requests_.size() << " calls instead of " << nth << " with "
                    << Request().GetTypeName();
      return {};
    }
    return requests_[nth - 1];
  }

  size_t calls() const {
    MutexLock lock(&mu_);
    return requests_.size();
  }
  // REQUIRES: there was such a call, from 1.
  CallOptions options(size_t nth) const {
    MutexLock lock(&mu_);
    return options_[nth - 1];
  }

  // What waits is cancelled, and what comes.
  void Close() {
    std::deque<Done<Response>> waiting;
    {
      MutexLock lock(&mu_);
      is_closed_ = true;
      waiting.swap(waiting_);
    }
    for (Done<Response>& done : waiting) {
      thread_->Post([done = std::move(done)]() mutable {
        std::move(done)(absl::CancelledError("cancelled"));
      });
    }
  }

 private:
  const std::shared_ptr<CallbackThread> thread_;
  mutable Mutex mu_;
  bool is_closed_ ABSL_GUARDED_BY(mu_) = false;
  Answerer answerer_ ABSL_GUARDED_BY(mu_);
  std::vector<Request> requests_ ABSL_GUARDED_BY(mu_);
  std::vector<CallOptions> options_ ABSL_GUARDED_BY(mu_);
  std::deque<Done<Response>> waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_FAKE_METHOD_H_
