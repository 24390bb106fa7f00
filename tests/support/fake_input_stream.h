// A StreamInput of a FakeLink: each message that the library sends is a call of a FakeMethod, whose answer is what the
// agent tells. UNAVAILABLE breaks the connection, which stands again at once; another error ends the stream.
//
// Ownership:     shared by its writer and what is under way.
// Thread-safety: thread-safe.
// Blocking:      WaitForEnd(); the rest never blocks.
// Errors:        none.
#ifndef SHOAL_TESTS_SUPPORT_FAKE_INPUT_STREAM_H_
#define SHOAL_TESTS_SUPPORT_FAKE_INPUT_STREAM_H_

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/notification.h"
#include "shoal/link/link.h"
#include "tests/support/callback_thread.h"
#include "tests/support/fake_method.h"

namespace shoal::testing {

class FakeInputStream final : public Stream, public std::enable_shared_from_this<FakeInputStream> {
 public:
  using Method = FakeMethod<v1::StreamInputRequest, v1::StreamInputResponse>;

  FakeInputStream(std::shared_ptr<CallbackThread> thread, Method* method, Link::InputHooks hooks)
      : thread_(std::move(thread)), method_(method), hooks_(std::move(hooks)) {}

  void Start() override {
    Post([this] { Begin(); });
  }
  void Resume() override {
    Post([this] { Pull(); });
  }
  void Restart() override {
    Post([this] { Begin(); });
  }
  void Cancel() override {
    Post([this] { End(absl::CancelledError("cancelled")); });
  }
  void WaitForEnd() override { ended_.WaitForNotification(); }

 private:
  // In callbacks, one at a time, until it has ended.
  void Post(absl::AnyInvocable<void()> what) {
    thread_->Post([self = shared_from_this(), what = std::move(what)]() mutable {
      if (!self->ended_.HasBeenNotified()) what();
    });
  }

  void Begin() {
    ++attempt_;
    unanswered_ = 0;
    has_sent_all_ = false;
    v1::StreamInputRequest none;
    hooks_.prepare(&none);
    Pull();
  }

  void Pull() {
    v1::StreamInputRequest request;
    while (!has_sent_all_) {
      const Supply supply = hooks_.next(&request);
      if (supply == Supply::kNothing) return;
      if (supply == Supply::kEnd) {
        has_sent_all_ = true;
        break;
      }
      ++unanswered_;
      method_->Call(request, CallOptions(),
                    [self = shared_from_this(),
                     attempt = attempt_](absl::StatusOr<v1::StreamInputResponse> answer) {
                      self->OnAnswer(attempt, std::move(answer));
                    });
    }
    MaybeEnd();
  }

  void OnAnswer(int attempt, absl::StatusOr<v1::StreamInputResponse> answer) {
    if (ended_.HasBeenNotified() || attempt != attempt_) return;
    if (absl::IsUnavailable(answer.status())) return Begin();
    if (!answer.ok()) return End(answer.status());
    --unanswered_;
    hooks_.on_message(*std::move(answer));
    Pull();
    MaybeEnd();
  }

  void MaybeEnd() {
    if (has_sent_all_ && unanswered_ == 0 && !ended_.HasBeenNotified()) End(absl::OkStatus());
  }

  void End(const absl::Status& status) {
    hooks_.on_end(status);
    hooks_ = Link::InputHooks();
    ended_.Notify();
  }

  const std::shared_ptr<CallbackThread> thread_;
  Method* const method_;
  Notification ended_;

  // Of the callbacks.
  Link::InputHooks hooks_;
  int attempt_ = 0;
  int unanswered_ = 0;
  bool has_sent_all_ = false;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_FAKE_INPUT_STREAM_H_
