// The calls of a Host that move blobs.
#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/boot_time.h"
#include "common/mutex.h"
#include "common/status.h"
#include "shoal/host.h"
#include "shoal/host/host_rep.h"
#include "shoal/host/stream_subscription.h"
#include "shoal/link/retry.h"

namespace shoal {
namespace {

// Hands the pieces of a blob from the stream to the thread of ReadBlob, one at a time.
class PieceSlot {
 public:
  void Put(v1::ReadResponse piece) {
    MutexLock lock(&mu_);
    piece_ = std::move(piece);
  }
  void End(const absl::Status& status) {
    MutexLock lock(&mu_);
    end_ = status;
  }
  // Nothing: the stream has ended, or `timeout` has passed.
  std::optional<v1::ReadResponse> Take(absl::Duration timeout) {
    MutexLock lock(&mu_);
    auto has_news = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return piece_.has_value() || end_.has_value();
    };
    mu_.AwaitWithTimeout(has_news, timeout);
    return std::exchange(piece_, std::nullopt);
  }
  // REQUIRES: Take() returned nothing.
  absl::Status status(const HostAddress& address) {
    MutexLock lock(&mu_);
    if (end_.has_value()) return *end_;
    return absl::DeadlineExceededError(
        absl::StrCat("host \"", address.name, "\" did not answer in time"));
  }

 private:
  Mutex mu_;
  std::optional<v1::ReadResponse> piece_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

absl::Status Host::WriteBlob(const BlobSource& source, CallOptions options) {
  const BootTime deadline = BootTime::Now() + options.timeout;
  CallOptions ask;
  ask.timeout = options.patience;
  Backoff backoff;
  absl::Duration waited;
  for (int64_t offset = source.offset;;) {
    absl::Status sent = rep_->link->WriteBlob(source, offset, deadline);
    const bool is_worth_another =
        absl::IsUnavailable(sent) || absl::IsOutOfRange(sent) || absl::IsDeadlineExceeded(sent);
    if (!is_worth_another || !options.retry) return sent;
    v1::FindMissingRequest request;
    request.add_sha256(source.sha256);
    absl::StatusOr<v1::FindMissingResponse> lacking = FindMissingBlobs(std::move(request), ask);
    if (!lacking.ok()) return lacking.status();
    if (lacking->missing().empty()) return absl::OkStatus();  // the answer alone was lost
    const int64_t received =
        std::clamp<int64_t>(lacking->missing(0).received_bytes(), 0, source.size_bytes);
    if (received > offset) {
      backoff.Reset();
      waited = absl::ZeroDuration();
    }
    offset = received;
    const absl::Duration pause = backoff.Next();
    waited += pause;
    if (waited > options.patience || BootTime::Now() + pause >= deadline) return sent;
    absl::SleepFor(pause);
  }
}

absl::Status Host::ReadBlob(absl::string_view sha256, int64_t offset, const BlobSink& sink,
                            CallOptions options) {
  const BootTime deadline = BootTime::Now() + options.timeout;
  PieceSlot slot;
  v1::ReadRequest request;
  request.set_sha256(std::string(sha256));
  Link::BlobHooks hooks;
  int64_t next = offset;  // of the stream's callbacks, which come one at a time
  hooks.prepare = [&next](v1::ReadRequest* message) { message->set_offset(next); };
  hooks.on_message = [&next, &slot](v1::ReadResponse&& piece) {
    next = piece.offset() + static_cast<int64_t>(piece.data().size());
    slot.Put(std::move(piece));
    return Flow::kPause;
  };
  hooks.on_end = [&slot](const absl::Status& status) { slot.End(status); };
  const std::unique_ptr<Subscription> stream =
      HoldStream(rep_->link->ReadBlob(std::move(request), std::move(hooks),
                                      options.retry ? options.patience : absl::ZeroDuration()));
  for (;;) {
    std::optional<v1::ReadResponse> piece = slot.Take(deadline - BootTime::Now());
    if (!piece.has_value()) return slot.status(address());
    SHOAL_RETURN_IF_ERROR(sink(piece->offset(), piece->data()));
    stream->Resume();
  }
}

}  // namespace shoal
