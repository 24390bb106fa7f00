#include "client/cli/output_gaps.h"

#include <cstddef>
#include <memory>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"

namespace shoal::cli {
namespace {

constexpr absl::Duration kGapPatience = absl::Seconds(5);

using GapsById = std::map<std::string, std::vector<StreamGap>>;

// What the hosts have answered so far.
class GapAnswers {
 public:
  explicit GapAnswers(size_t hosts) : hosts_(hosts), open_(hosts) {}

  Flow OnFrame(size_t host, const v1::ReadOutputResponse& frame) {
    MutexLock lock(&mu_);
    if (frame.has_gap()) hosts_[host].gaps[frame.id()].push_back({frame.stream(), frame.gap()});
    if (!frame.has_data()) return Flow::kGoOn;
    // Its agent does not know of gaps_only: no more of the bytes is read.
    Close(host);
    return Flow::kPause;
  }
  void OnEnd(size_t host, const absl::Status& status) {
    MutexLock lock(&mu_);
    hosts_[host].is_told |= status.ok() && !hosts_[host].is_closed;
    Close(host);
  }

  // Of the hosts that have told all of them.
  GapsById Await() {
    MutexLock lock(&mu_);
    const auto are_closed = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return open_ == 0; };
    mu_.AwaitWithTimeout(are_closed, kGapPatience);
    GapsById all;
    for (HostAnswer& host : hosts_) {
      if (host.is_told) all.merge(host.gaps);
    }
    return all;
  }

 private:
  struct HostAnswer {
    GapsById gaps;
    bool is_told = false;
    bool is_closed = false;
  };

  void Close(size_t host) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (!std::exchange(hosts_[host].is_closed, true)) --open_;
  }

  Mutex mu_;
  std::vector<HostAnswer> hosts_ ABSL_GUARDED_BY(mu_);
  size_t open_ ABSL_GUARDED_BY(mu_);
};

v1::ReadOutputRequest GapRequest(v1::Selector selector) {
  v1::ReadOutputRequest request;
  *request.mutable_selector() = std::move(selector);
  request.set_gaps_only(true);
  for (v1::StreamKind stream :
       {v1::STREAM_KIND_STDOUT, v1::STREAM_KIND_STDERR, v1::STREAM_KIND_RESULT}) {
    request.add_streams(stream);
  }
  return request;
}

}  // namespace

std::map<std::string, std::vector<StreamGap>> FindGaps(const std::vector<Found>& found) {
  std::vector<HostShare> shares = ByHost(found);
  GapAnswers answers(shares.size());
  std::vector<std::unique_ptr<Subscription>> subscriptions;
  ReadOutputOptions options;
  options.patience = kGapPatience;
  for (size_t i = 0; i < shares.size(); ++i) {
    OutputObserver observer;
    observer.on_frame = [&answers, i](v1::ReadOutputResponse&& frame) {
      return answers.OnFrame(i, frame);
    };
    observer.on_end = [&answers, i](const absl::Status& status) { answers.OnEnd(i, status); };
    subscriptions.push_back(shares[i].host->ReadOutput(GapRequest(std::move(shares[i].selector)),
                                                       std::move(observer), options));
  }
  return answers.Await();
}

}  // namespace shoal::cli
