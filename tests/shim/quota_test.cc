// A disk quota that is used up: as a full disk. What a kernel without quotas cannot say, this test says in its place: it
// answers each splice(2) of the shim.
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <string>
#include <thread>

#include "common/unique_fd.h"
#include "tests/shim/process_facts.h"
#include "tests/shim/shim_harness.h"

namespace shoal::testing {
namespace {

// For what the calling thread starts from here on. None: not allowed here.
UniqueFd InterceptSplice() {
  sock_filter steps[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_splice, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program = {.len = 4, .filter = steps};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const long fd =
      syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
  return UniqueFd(static_cast<int>(fd));
}

// Until none is left that could call. 0: it is carried out.
void AnswerSplices(int listener, const std::atomic<int>& error) {
  while (true) {
    pollfd wait = {listener, POLLIN, 0};
    if (poll(&wait, 1, -1) < 0) continue;
    if ((wait.revents & POLLIN) == 0) return;
    seccomp_notif call = {};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) continue;
    seccomp_notif_resp answer = {};
    answer.id = call.id;
    answer.error = -error;
    if (error == 0) answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
}

TEST(DiskQuota, MakesTheWriterWaitAndLosesNothing) {
  constexpr size_t kBytes = 200'000;
  ShimHarness shim(/*use_cgroup=*/false);
  std::atomic<int> error = EDQUOT;
  UniqueFd listener;
  std::thread([&] {
    listener = InterceptSplice();
    if (listener) shim.StartChild({"flood", "0", std::to_string(kBytes), "exit", "8"});
  }).join();
  if (!listener) GTEST_SKIP() << "no seccomp listener";
  std::thread answering([&] { AnswerSplices(listener.get(), error); });
  const record::ShimHalf stalled = shim.AwaitFlags(record::kOutputStalled);
  EXPECT_EQ(stalled.stall_errno, EDQUOT);
  EXPECT_EQ(stalled.flags & record::kExited, 0u) << "it waits, since a pipe does not hold all";
  error = 0;
  const record::ShimHalf final = shim.AwaitFinal();
  EXPECT_EQ(WEXITSTATUS(final.wait_status), 8);
  EXPECT_EQ(final.flags & record::kOutputStalled, 0u);
  EXPECT_TRUE(shim.Output(0) == PatternBytes(0, kBytes));
  answering.join();
}

}  // namespace
}  // namespace shoal::testing
