// Signals and /proc: children of this test stand in for managed processes.
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <optional>

#include "absl/time/clock.h"
#include "agent/os/process_signals.h"
#include "agent/os/process_tree.h"
#include "agent/os/procfs.h"
#include "agent/os/system_peers.h"
#include "tests/unit/os/scratch.h"

namespace shoal::agent {
namespace {

// A child that waits for signals; killed and reaped at the end.
class Child {
 public:
  // `wanted` asks the kernel for a certain pid; only then may the child be missing.
  explicit Child(pid_t wanted = 0) {
    clone_args arguments{};
    arguments.exit_signal = SIGCHLD;
    if (wanted != 0) {
      arguments.set_tid = reinterpret_cast<uint64_t>(&wanted);
      arguments.set_tid_size = 1;
    }
    const long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
    if (pid == 0) {
      while (true) syscall(SYS_pause);
    }
    error_ = errno;
    pid_ = static_cast<pid_t>(pid);
    // Nothing below may ever send a signal to "pid -1": that is every process of the machine.
    if (pid_ <= 0 && wanted == 0) std::abort();
  }
  ~Child() { End(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  bool exists() const { return pid_ > 0; }
  int error() const { return error_; }
  pid_t pid() const { return pid_; }
  uint64_t start_ticks() const {
    const auto stat = ReadProcStat(pid_);
    return stat ? stat->start_ticks : 0;
  }
  // Waits for the signal that it ends by and reaps it.
  int EndedBy() {
    int status = 0;
    if (waitpid(pid_, &status, 0) != pid_) return 0;
    pid_ = 0;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  bool IsAlive() const {
    const auto stat = ReadProcStat(pid_);
    return stat && stat->state != 'Z';
  }
  // Kills it and leaves it a zombie.
  void BecomeZombie() {
    siginfo_t info{};
    if (exists() && kill(pid_, SIGKILL) == 0) {
      EXPECT_EQ(waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT), 0);
    }
  }
  void End() {
    if (!exists()) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
  int error_ = 0;
};

TEST(ProcFiles, CommMayHoldSpacesAndParentheses) {
  const auto stat = ParseProcStat(
      "42 (a) b (c)) S 1 43 44 0 -1 4194560 0 0 0 0 150 50 25 25 20 0 1 0 9876 1000000 3 "
      "18446744073709551615");
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->pid, 42);
  EXPECT_EQ(stat->comm, "a) b (c)");
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->parent, 1);
  EXPECT_EQ(stat->group, 43);
  EXPECT_EQ(stat->session, 44);
  EXPECT_EQ(stat->start_ticks, 9876u);
  EXPECT_EQ(stat->rss_bytes, 3 * sysconf(_SC_PAGESIZE));
  EXPECT_EQ(stat->cpu_time, absl::Milliseconds(2500));
}

TEST(ProcFiles, CutTextIsNoStat) {
  const std::string whole =
      "42 (x) S 1 43 44 0 -1 4194560 0 0 0 0 150 50 25 25 20 0 1 0 9876 1000000 3";
  ASSERT_TRUE(ParseProcStat(whole).has_value());
  for (size_t size = 0; size < whole.size() - 2; ++size) {
    EXPECT_FALSE(ParseProcStat(whole.substr(0, size)).has_value()) << size;
  }
  EXPECT_FALSE(ParseProcStat(")42 (x").has_value());
}

TEST(ProcFiles, ThisProcessIsShown) {
  const auto stat = ReadProcStat(getpid());
  ASSERT_TRUE(stat.has_value());
  EXPECT_EQ(stat->parent, getppid());
  EXPECT_EQ(ReadComm(getpid()), stat->comm);
  const std::vector<int> pids = ListPids();
  EXPECT_NE(std::find(pids.begin(), pids.end(), getpid()), pids.end());
}

TEST(ProcFiles, ProcessThatIsGoneIsNothing) {
  Child child;
  const pid_t pid = child.pid();
  child.End();
  EXPECT_FALSE(ReadProcStat(pid).has_value());
  EXPECT_EQ(ReadComm(pid), "");
  EXPECT_EQ(ReadWaitChannel(pid), "");
}

bool IsNever(const ProcStat&) { return false; }

TEST(ProcessTree, DescendantsOfDescendantsAreFound) {
  int ready[2];
  ASSERT_EQ(pipe2(ready, O_CLOEXEC), 0);
  const pid_t middle = fork();
  ASSERT_GE(middle, 0);
  if (middle == 0) {
    const pid_t leaf = fork();
    if (leaf > 0 && write(ready[1], &leaf, sizeof(leaf)) < 0) _exit(1);
    while (true) pause();
  }
  pid_t leaf = 0;
  ASSERT_EQ(read(ready[0], &leaf, sizeof(leaf)), static_cast<ssize_t>(sizeof(leaf)));
  std::vector<int> found = *DescendantsOf(getpid(), IsNever);
  EXPECT_NE(std::find(found.begin(), found.end(), middle), found.end());
  EXPECT_NE(std::find(found.begin(), found.end(), leaf), found.end());
  EXPECT_EQ(*DescendantsOf(middle, IsNever), std::vector<int>{leaf});
  found = *DescendantsOf(getpid(), [&](const ProcStat& stat) { return stat.pid == middle; });
  for (pid_t apart : {middle, leaf}) {
    EXPECT_EQ(std::find(found.begin(), found.end(), apart), found.end());
  }
  const LiveUsage usage = UsageOf(middle, {middle, leaf});
  EXPECT_EQ(usage.descendants, 1);
  EXPECT_GT(usage.rss_bytes, 0);
  ASSERT_GT(leaf, 1);
  kill(leaf, SIGKILL);
  kill(middle, SIGKILL);
  waitpid(middle, nullptr, 0);
  close(ready[0]);
  close(ready[1]);
}

TEST(ProcessTree, ZombieIsNoMember) {
  Child child;
  child.BecomeZombie();
  const std::vector<int> found = *DescendantsOf(getpid(), IsNever);
  EXPECT_EQ(std::find(found.begin(), found.end(), child.pid()), found.end());
}

TEST(ProcessSignals, SignalReachesTheProcess) {
  Child child;
  ASSERT_TRUE(SignalProcess(child.pid(), child.start_ticks(), SIGTERM).ok());
  EXPECT_EQ(child.EndedBy(), SIGTERM);
}

TEST(ProcessSignals, ProcessThatHasExitedIsAFailedPrecondition) {
  Child child;
  const pid_t pid = child.pid();
  const uint64_t ticks = child.start_ticks();
  child.BecomeZombie();
  EXPECT_TRUE(absl::IsFailedPrecondition(SignalProcess(pid, ticks, SIGTERM)));  // a zombie
  child.End();
  const absl::Status gone = SignalProcess(pid, ticks, SIGTERM);
  EXPECT_TRUE(absl::IsFailedPrecondition(gone));
  EXPECT_EQ(gone.message(), "process has exited");
  EXPECT_TRUE(absl::IsFailedPrecondition(SignalProcess(0, 0, SIGTERM)));
}

TEST(ProcessSignals, ReusedPidIsNotHit) {
  Child first;
  const pid_t pid = first.pid();
  const uint64_t ticks = first.start_ticks();
  first.End();
  const absl::Time deadline = absl::Now() + kDeadline;
  while (absl::Now() < deadline) {
    Child second(pid);
    if (!second.exists() && second.error() == EPERM)
      GTEST_SKIP() << "clone3(set_tid) is not permitted here";
    // Another process may have got the pid; a start within the same tick cannot be told apart.
    if (!second.exists() || second.start_ticks() == ticks) continue;
    EXPECT_TRUE(absl::IsNotFound(OpenProcess(pid, ticks).status()));
    for (const absl::Status& sent :
         {SignalProcess(pid, ticks, SIGKILL), SignalGroup(pid, ticks, SIGKILL)}) {
      EXPECT_TRUE(absl::IsFailedPrecondition(sent)) << sent;
      EXPECT_EQ(sent.message(), "process has exited");
    }
    EXPECT_TRUE(second.IsAlive());
    return;
  }
  FAIL() << "pid " << pid << " was not to be had again";
}

TEST(ProcessSignals, GroupReachesEveryMember) {
  Child leader;
  ASSERT_EQ(setpgid(leader.pid(), leader.pid()), 0);
  Child member;
  ASSERT_EQ(setpgid(member.pid(), leader.pid()), 0);
  ASSERT_TRUE(SignalGroup(leader.pid(), leader.start_ticks(), SIGTERM).ok());
  EXPECT_EQ(leader.EndedBy(), SIGTERM);
  EXPECT_EQ(member.EndedBy(), SIGTERM);
}

TEST(ProcessSignals, ProcessThatLeadsNoGroupTakesNobodyElseAlong) {
  Child child;  // in the group of this test
  const absl::Status sent = SignalGroup(child.pid(), child.start_ticks(), SIGTERM);
  EXPECT_TRUE(absl::IsFailedPrecondition(sent)) << sent;
  EXPECT_TRUE(child.IsAlive());
}

TEST(ProcessSignals, MembersThatLeftMeanwhileAreSpared) {
  Child stays;
  Child leaves;
  int calls = 0;
  const absl::Status sent = SignalMembers(
      [&] {
        std::vector<int> pids = {stays.pid()};
        if (++calls == 1) pids.push_back(leaves.pid());
        return pids;
      },
      SIGTERM);
  EXPECT_TRUE(sent.ok()) << sent;
  EXPECT_EQ(stays.EndedBy(), SIGTERM);
  EXPECT_TRUE(leaves.IsAlive());
}

TEST(ProcessSignals, ATreeThatCannotBeReadIsNotSaidToHaveExited) {
  EXPECT_EQ(SignalMembers([] { return absl::ResourceExhaustedError("no descriptor"); }, SIGTERM),
            absl::ResourceExhaustedError("no descriptor"));
}

TEST(ProcessTree, WhatCannotBeReadForWantOfDescriptorsIsNotSaidToBeEmpty) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  const absl::StatusOr<std::vector<int>> found = DescendantsOf(getpid(), IsNever);
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_TRUE(absl::IsResourceExhausted(found.status())) << found.status();
}

TEST(ProcessSignals, EmptyTreeHasExited) {
  EXPECT_TRUE(
      absl::IsFailedPrecondition(SignalMembers([] { return std::vector<int>(); }, SIGTERM)));
}

TEST(Peers, AStoppedOneIsToldFromALivingAndAnother) {
  Child child;
  const std::shared_ptr<const SocketPeer> peer = ReadPeer(child.pid());
  ASSERT_NE(peer, nullptr);
  Opener opener{
      .pid = peer->pid, .start_ticks = peer->start_ticks, .boot_id = {}, .process_id = {}};
  SystemPeers peers;
  EXPECT_FALSE(peers.IsStopped(opener));
  kill(child.pid(), SIGSTOP);
  int status = 0;
  ASSERT_EQ(waitpid(child.pid(), &status, WUNTRACED), child.pid());
  EXPECT_TRUE(peers.IsStopped(opener));
  ++opener.start_ticks;
  EXPECT_FALSE(peers.IsStopped(opener)) << "the pid of another";
  EXPECT_TRUE(peers.IsGone(
      SocketPeer{.pid = peer->pid, .start_ticks = peer->start_ticks + 1, .process_ids = {}}));
  --opener.start_ticks;
  kill(child.pid(), SIGCONT);
  ASSERT_EQ(waitpid(child.pid(), &status, WCONTINUED), child.pid());
  EXPECT_FALSE(peers.IsStopped(opener));
  EXPECT_FALSE(peers.IsGone(*peer));
  kill(child.pid(), SIGKILL);
  siginfo_t ended{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child.pid()), &ended, WEXITED | WNOWAIT), 0);
  EXPECT_TRUE(peers.IsGone(*peer)) << "though nobody has waited for it";
}

TEST(Peers, OneThatIsGoneOrOfAnotherNamespaceIsNobody) {
  Child child;
  const pid_t pid = child.pid();
  child.End();
  EXPECT_EQ(ReadPeer(pid), nullptr);
  EXPECT_EQ(ReadPeer(0), nullptr)
      << "what the kernel says of a peer that this namespace does not see";
}

}  // namespace
}  // namespace shoal::agent
