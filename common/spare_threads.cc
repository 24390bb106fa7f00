#include "common/spare_threads.h"

#include <limits.h>
#include <pthread.h>

#include <atomic>
#include <vector>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

constexpr size_t kStackBytes = size_t{64} << 10;

// All wake at once; behind a mutex one would wake the next.
void* WaitForAll(void* all_started) {
  static_cast<std::atomic<int>*>(all_started)->wait(0);
  return nullptr;
}

}  // namespace

absl::Status CheckSpareThreads(int count) {
  std::atomic<int> all_started{0};  // a futex of its own
  std::vector<pthread_t> threads;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  while (threads.size() < static_cast<size_t>(count)) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, WaitForAll, &all_started) != 0) break;
    threads.push_back(thread);
  }
  all_started = 1;
  all_started.notify_all();
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  if (threads.size() == static_cast<size_t>(count)) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("this program needs ", count, " threads, and can have ", threads.size(),
                   ": a limit on processes is reached (pids.max of a cgroup, or `ulimit -u`), or "
                   "memory is short"));
}

}  // namespace shoal
