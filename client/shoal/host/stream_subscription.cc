#include "shoal/host/stream_subscription.h"

#include <utility>

#include "shoal/link/owner.h"

namespace shoal {
namespace {

class StreamSubscription final : public Subscription {
 public:
  explicit StreamSubscription(std::shared_ptr<Stream> stream) : stream_(std::move(stream)) {}
  ~StreamSubscription() override {
    internal::KeepInFork(stream_);
    if (internal::IsForked()) return;
    stream_->Cancel();
    stream_->WaitForEnd();
  }
  void Cancel() override { stream_->Cancel(); }
  void Resume() override { stream_->Resume(); }

 private:
  const std::shared_ptr<Stream> stream_;
};

}  // namespace

std::unique_ptr<Subscription> HoldStream(std::shared_ptr<Stream> stream) {
  stream->Start();
  return std::make_unique<StreamSubscription>(std::move(stream));
}

}  // namespace shoal
