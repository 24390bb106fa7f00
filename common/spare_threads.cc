#include "common/spare_threads.h"

#include <limits.h>
#include <pthread.h>

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/mutex.h"

namespace shoal {
namespace {

constexpr size_t kStackBytes = size_t{64} << 10;

void* WaitForLock(void* lock) {
  MutexLock wait(static_cast<Mutex*>(lock));
  return nullptr;
}

}  // namespace

absl::Status CheckSpareThreads(int count) {
  Mutex all_started;
  std::vector<pthread_t> threads;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  all_started.Lock();
  while (threads.size() < static_cast<size_t>(count)) {
    pthread_t thread;
    if (pthread_create(&thread, &attributes, WaitForLock, &all_started) != 0) break;
    threads.push_back(thread);
  }
  all_started.Unlock();
  for (pthread_t thread : threads) pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  if (threads.size() == static_cast<size_t>(count)) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("this program needs ", count, " threads, and can have ", threads.size(),
                   ": a limit on processes is reached (pids.max of a cgroup, or `ulimit -u`), or "
                   "memory is short"));
}

}  // namespace shoal
