#include "client/cli/starting.h"

#include <algorithm>
#include <utility>

#include "shoal/fan_out.h"

namespace shoal::cli {
namespace {

// An answer that says for certain that nothing runs; any other may have been lost on its way.
bool IsRefusal(const absl::Status& status) {
  return !status.ok() && !absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status) &&
         !absl::IsCancelled(status);
}

int RanksIn(const v1::SpawnBatchRequest& request) {
  return request.has_ranks() ? request.ranks().count() : request.specs_size();
}

}  // namespace

Starting::Starting(std::vector<Share> shares)
    : shares_(std::move(shares)), entries_(shares_.size()) {}

std::vector<Starting::Answer> Starting::Run() {
  std::vector<Answer> answers = FanOut<v1::SpawnBatchResponse>(
      shares_.size(), [this](size_t i, Done<v1::SpawnBatchResponse> done) {
        const Share& share = shares_[i];
        CallOptions options;
        options.timeout = SpawnTimeoutOf(share.request.specs(0));
        share.host->SpawnBatch(share.request, options,
                               [this, i, done = std::move(done)](Answer answer) mutable {
                                 OnAnswer(i, answer);
                                 std::move(done)(std::move(answer));
                               });
      });
  MutexLock lock(&mu_);
  mu_.Await([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return IsOver(); });
  is_over_ = true;
  return answers;
}

bool Starting::Interrupt(int signal) {
  std::vector<std::pair<size_t, std::vector<std::string>>> started;
  {
    MutexLock lock(&mu_);
    if (is_over_) return false;
    if (interrupted_by_ != 0) return true;
    interrupted_by_ = signal;
    for (size_t i = 0; i < entries_.size(); ++i) {
      if (entries_[i].is_answered) started.emplace_back(i, entries_[i].ids);
    }
  }
  for (auto& [share, ids] : started) End(share, std::move(ids));
  return true;
}

int Starting::interrupted_by() const {
  MutexLock lock(&mu_);
  return interrupted_by_;
}

std::vector<HostLeft> Starting::Left() const {
  MutexLock lock(&mu_);
  std::vector<HostLeft> left;
  for (size_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    HostLeft host;
    host.host = static_cast<int>(i);
    host.is_certain = entry.is_certain;
    host.processes =
        entry.is_certain ? static_cast<int>(entry.ids.size()) : RanksIn(shares_[i].request);
    if (host.processes > 0) left.push_back(host);
  }
  return left;
}

void Starting::OnAnswer(size_t share, const Answer& answer) {
  std::vector<std::string> ids;
  {
    MutexLock lock(&mu_);
    Entry& entry = entries_[share];
    entry.is_answered = true;
    entry.is_certain = answer.ok() || IsRefusal(answer.status());
    if (answer.ok()) {
      for (const v1::SpawnBatchResponse::Result& result : answer->results()) {
        if (result.has_process()) entry.ids.push_back(result.process().id());
      }
    }
    if (interrupted_by_ == 0) return;
    ids = entry.ids;
  }
  End(share, std::move(ids));
}

void Starting::End(size_t share, std::vector<std::string> ids) {
  if (ids.empty()) return OnEnded(share, v1::TerminateResponse());
  v1::TerminateRequest request;
  request.mutable_selector()->mutable_terms()->Assign(ids.begin(), ids.end());
  shares_[share].host->Terminate(
      std::move(request), CallOptions(),
      [this, share](const absl::StatusOr<v1::TerminateResponse>& answer) {
        OnEnded(share, answer);
      });
}

void Starting::OnEnded(size_t share, const absl::StatusOr<v1::TerminateResponse>& answer) {
  MutexLock lock(&mu_);
  Entry& entry = entries_[share];
  entry.is_ended = true;
  if (!answer.ok()) return;
  for (const v1::ProcessResult& result : answer->results()) {
    if (result.has_error()) continue;
    entry.ids.erase(std::remove(entry.ids.begin(), entry.ids.end(), result.process().id()),
                    entry.ids.end());
  }
}

bool Starting::IsOver() const {
  return interrupted_by_ == 0 || std::all_of(entries_.begin(), entries_.end(),
                                             [](const Entry& entry) { return entry.is_ended; });
}

}  // namespace shoal::cli
