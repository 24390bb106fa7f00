#include "agent/rpc/open_calls.h"

#include <utility>
#include <vector>

namespace shoal::agent {

void OpenCalls::Add(const std::shared_ptr<OpenCall>& call) {
  grpc::Status status;
  {
    MutexLock lock(&mu_);
    calls_.emplace(call.get(), call);
    ++total_;
    if (!ending_) return;
    status = ending_status_;
  }
  call->End(status);
}

void OpenCalls::Remove(OpenCall* call) {
  MutexLock lock(&mu_);
  calls_.erase(call);
}

void OpenCalls::EndAll(const grpc::Status& status) {
  std::vector<std::shared_ptr<OpenCall>> living;
  {
    MutexLock lock(&mu_);
    ending_ = true;
    ending_status_ = status;
    for (const auto& [key, weak] : calls_) {
      if (std::shared_ptr<OpenCall> call = weak.lock()) living.push_back(std::move(call));
    }
  }
  for (const std::shared_ptr<OpenCall>& call : living) call->End(status);
}

size_t OpenCalls::count() const {
  MutexLock lock(&mu_);
  return calls_.size();
}

uint64_t OpenCalls::total() const {
  MutexLock lock(&mu_);
  return total_;
}

}  // namespace shoal::agent
