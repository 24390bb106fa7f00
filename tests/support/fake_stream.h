// A stream of a FakeLink: the test says what comes, when it breaks, and when it stands again.
//
// As a real one it asks anew at Mend() and Restart(), having its reader write where to go on.
//
// Ownership:     shared by its reader and the test.
// Thread-safety: thread-safe.
// Blocking:      WaitForEnd(), AwaitAttempt(); the rest never blocks.
// Errors:        an attempt that does not come within a minute fails the test.
#ifndef SHOAL_TESTS_SUPPORT_FAKE_STREAM_H_
#define SHOAL_TESTS_SUPPORT_FAKE_STREAM_H_

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "common/notification.h"
#include "shoal/link/stream.h"
#include "tests/support/callback_thread.h"
#include "tests/support/fake_method.h"

namespace shoal::testing {

template <typename Request, typename Response>
class FakeStream : public Stream,
                   public std::enable_shared_from_this<FakeStream<Request, Response>> {
 public:
  using Hooks = StreamHooks<Request, Response>;

  FakeStream(std::shared_ptr<CallbackThread> thread, Request request, Hooks hooks,
             absl::Duration patience)
      : patience_(patience),
        thread_(std::move(thread)),
        request_(std::move(request)),
        hooks_(std::move(hooks)) {}

  void Start() override {
    Post([](FakeStream* self) { self->Ask(); });
  }
  void Cancel() override { End(absl::CancelledError("cancelled")); }
  void Restart() override {
    Post([](FakeStream* self) { self->Ask(); });
  }
  void Resume() override {
    Post([](FakeStream* self) {
      self->is_paused_ = false;
      self->Deliver();
    });
  }
  void WaitForEnd() override { ended_.WaitForNotification(); }

  // A message comes.
  void Tell(Response message) {
    Post([message = std::move(message)](FakeStream* self) mutable {
      self->coming_.push_back(std::move(message));
      self->Deliver();
    });
  }
  // The connection breaks; and stands again.
  void Break(const absl::Status& reason = absl::UnavailableError("gone")) {
    Post([reason](FakeStream* self) {
      if (self->hooks_.on_connection) self->hooks_.on_connection(reason);
    });
  }
  void Mend() {
    Post([](FakeStream* self) {
      self->Ask();
      if (self->hooks_.on_connection) self->hooks_.on_connection(absl::OkStatus());
    });
  }
  // The agent ends it.
  void End(const absl::Status& status) {
    Post([status](FakeStream* self) {
      const bool recovers =
          !status.ok() && self->hooks_.recover && self->hooks_.recover(status.code());
      if (recovers) return self->Ask();
      self->has_ended_ = true;
      if (self->hooks_.on_end) self->hooks_.on_end(status);
      self->hooks_ = Hooks();
      self->ended_.Notify();
    });
  }

  // What was asked the n-th time, from 1.
  Request AwaitAttempt(size_t nth) {
    MutexLock lock(&mu_);
    auto has_come = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return attempts_.size() >= nth; };
    if (!mu_.AwaitWithTimeout(has_come, kCallDeadline)) {
      ADD_FAILURE() << attempts_.size() << " attempts instead of " << nth << " with "
                    << Request().GetTypeName();
      return {};
    }
    return attempts_[nth - 1];
  }
  absl::Duration patience() const { return patience_; }

 private:
  // In callbacks, one at a time, until it has ended.
  void Post(absl::AnyInvocable<void(FakeStream*)> what) {
    thread_->Post([self = this->shared_from_this(), what = std::move(what)]() mutable {
      if (!self->has_ended_) what(self.get());
    });
  }
  void Ask() {
    if (hooks_.prepare) hooks_.prepare(&request_);
    MutexLock lock(&mu_);
    attempts_.push_back(request_);
  }
  void Deliver() {
    while (!coming_.empty() && !is_paused_) {
      Response message = std::move(coming_.front());
      coming_.pop_front();
      is_paused_ = hooks_.on_message(std::move(message)) == Flow::kPause;
    }
  }

  const absl::Duration patience_;
  const std::shared_ptr<CallbackThread> thread_;
  Notification ended_;

  // Of the callbacks.
  Request request_;
  Hooks hooks_;
  std::deque<Response> coming_;
  bool is_paused_ = false;
  bool has_ended_ = false;

  Mutex mu_;
  std::vector<Request> attempts_ ABSL_GUARDED_BY(mu_);
};

// The streams of one kind, in the order in which they were made.
template <typename OneStream>
class StreamList {
 public:
  std::shared_ptr<OneStream> Add(std::shared_ptr<OneStream> stream) {
    MutexLock lock(&mu_);
    streams_.push_back(stream);
    return stream;
  }
  // The n-th, from 1.
  std::shared_ptr<OneStream> Await(size_t nth) {
    MutexLock lock(&mu_);
    auto has_come = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return streams_.size() >= nth; };
    if (!mu_.AwaitWithTimeout(has_come, kCallDeadline)) {
      ADD_FAILURE() << streams_.size() << " streams instead of " << nth;
      return nullptr;
    }
    return streams_[nth - 1];
  }
  void CancelAll() {
    MutexLock lock(&mu_);
    for (const auto& stream : streams_) stream->Cancel();
  }

 private:
  Mutex mu_;
  std::vector<std::shared_ptr<OneStream>> streams_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_FAKE_STREAM_H_
