#include "agent/rpc/executor_threads.h"

#include <grpc/support/cpu.h>
#include <grpc/support/time.h>
#include <grpcpp/alarm.h>

#include <deque>

#include "common/blocking_counter.h"
#include "common/notification.h"

namespace shoal::agent {
namespace {

// A queue that is longer than 32 has the executor make another thread.
constexpr int kLongQueue = 64;

}  // namespace

int CountExecutorThreads() { return 2 * static_cast<int>(gpr_cpu_num_cores()); }

// What an alarm calls runs on the executor. The first of them holds a thread, so that the others queue.
void MakeExecutorThreads() {
  const int count = kLongQueue + CountExecutorThreads();
  Notification all_are_queued;
  BlockingCounter left(count);
  std::deque<grpc::Alarm> alarms(static_cast<size_t>(count));
  for (grpc::Alarm& alarm : alarms) {
    alarm.Set(gpr_inf_past(GPR_CLOCK_MONOTONIC), [&](bool) {
      all_are_queued.WaitForNotification();
      left.DecrementCount();
    });
  }
  all_are_queued.Notify();
  left.Wait();
}

}  // namespace shoal::agent
