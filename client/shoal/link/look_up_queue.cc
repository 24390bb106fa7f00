#include "shoal/link/look_up_queue.h"

#include <system_error>
#include <thread>

#include "absl/strings/str_cat.h"

namespace shoal {

void LookUpQueue::Add(const std::string& name, Done done) {
  {
    MutexLock lock(&mu_);
    waiting_.push_back({name, std::move(done)});
    if (threads_ == most_) return;
    ++threads_;
  }
  try {
    std::thread([self = shared_from_this()] { self->Run(); }).detach();
  } catch (const std::system_error& error) {
    std::deque<LookUp> refused;
    {
      MutexLock lock(&mu_);
      if (--threads_ > 0) return;  // those that run take them in turn
      refused.swap(waiting_);
    }
    for (LookUp& look_up : refused) {
      std::move(look_up.done)(absl::UnavailableError(
          absl::StrCat("the name does not resolve: no thread: ", error.code().message())));
    }
  }
}

void LookUpQueue::Run() {
  for (;;) {
    LookUp next;
    {
      MutexLock lock(&mu_);
      if (waiting_.empty()) {
        --threads_;
        return;
      }
      next = std::move(waiting_.front());
      waiting_.pop_front();
    }
    std::move(next.done)(resolve_(next.name));
  }
}

}  // namespace shoal
