#include "shoal/link/owner.h"

#include <sys/types.h>
#include <unistd.h>

#include <atomic>

#include "absl/strings/str_cat.h"
#include "common/spare_threads.h"
#include "common/status.h"

namespace shoal::internal {
namespace {

// What gRPC and this library start for the first calls.
constexpr int kThreads = 12;

std::atomic<pid_t> owner{0};  // 0: none yet

}  // namespace

absl::Status ClaimGrpc() {
  if (owner == 0) SHOAL_RETURN_IF_ERROR(CheckSpareThreads(kThreads));
  pid_t none = 0;
  owner.compare_exchange_strong(none, getpid());
  return CheckNotForked();
}

bool IsForked() {
  const pid_t pid = owner;
  return pid != 0 && pid != getpid();
}

absl::Status CheckNotForked() {
  if (!IsForked()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("process ", getpid(), " is a fork of process ", owner.load(),
                   ", which has connections to agents: only that one can use them"));
}

}  // namespace shoal::internal
