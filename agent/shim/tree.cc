#include "agent/shim/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/shim/proc.h"

namespace shoal::shim {
namespace {

constexpr int kMaxRounds = 1000;  // a few, but for batches of members
constexpr int kMaxDepth = 128;    // each level holds three descriptors
constexpr int kBatch = 1024;      // of pidfds held, or half of what descriptors there may be
constexpr size_t kPids = size_t{1} << 22;  // PID_MAX_LIMIT

// A set of pids in 512 KiB of untouched memory, of which few pages are ever used. They are given
// back: `bits` is as untouched after it as before.
class PidSet {
 public:
  explicit PidSet(uint8_t (&bits)[kPids / 8]) : bits_(bits) {}
  ~PidSet() { madvise(bits_, kPids / 8, MADV_DONTNEED); }
  bool Has(pid_t pid) const { return (bits_[pid / 8] >> pid % 8 & 1) != 0; }
  // True if it is new.
  bool Add(pid_t pid) {
    const uint8_t before = bits_[pid / 8];
    bits_[pid / 8] = static_cast<uint8_t>(before | 1u << pid % 8);
    return bits_[pid / 8] != before;
  }

 private:
  uint8_t* bits_;
};
alignas(65536) uint8_t told_bits[kPids / 8];
alignas(65536) uint8_t member_bits[kPids / 8];

// Calls visit(pid) for every number in the file; closes it. The list may change meanwhile.
template <typename Visit>
void ForEachPid(int fd, Visit visit) {
  FILE* file = fdopen(fd, "r");
  if (file == nullptr) return;
  for (pid_t pid; fscanf(file, "%d", &pid) == 1;) visit(pid);
  fclose(file);
}

int OpenMembers(int cgroup_fd) { return openat(cgroup_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC); }

// Calls visit(pid) for every child of every thread of `parent`.
template <typename Visit>
void ForEachChild(pid_t parent, Visit visit) {
  char path[32];
  snprintf(path, sizeof(path), "/proc/%d/task", parent);
  DIR* tasks = opendir(path);
  if (tasks == nullptr) return;
  while (const struct dirent* task = readdir(tasks)) {
    snprintf(path, sizeof(path), "%.16s/children", task->d_name);
    ForEachPid(openat(dirfd(tasks), path, O_RDONLY | O_CLOEXEC), visit);
  }
  closedir(tasks);
}

int OpenPid(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }
bool Send(int pidfd, int number) {
  return syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0) == 0;
}

// One signal on its way to all members, in rounds.
class Telling {
 public:
  Telling(int number, const Enough& enough) : number_(number), enough_(enough), told_(told_bits) {
    struct rlimit limit;
    const bool few = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur / 2 < kBatch;
    capacity_ = few ? static_cast<int>(limit.rlim_cur / 2) : kBatch;
  }
  ~Telling() { DropPending(pending_); }
  Telling(const Telling&) = delete;
  Telling& operator=(const Telling&) = delete;

  // True once for each number.
  bool Take(pid_t pid) { return told_.Add(pid); }
  bool HasEnough() const { return enough_.reached(enough_.context); }
  bool is_full() const { return pending_ == capacity_; }

  // A round through the cgroup, whose list is read once. Members that are new in it get a pidfd,
  // and are told in the next round if its list still has them: a number that was reused in between
  // is either not in it, or belongs to a member. Returns how many are to be told.
  int TellMembers(int cgroup_fd) {
    const int opened = pending_;
    PidSet members(member_bits);
    ForEachPid(OpenMembers(cgroup_fd), [&](pid_t pid) {
      members.Add(pid);
      if (is_full() || HasEnough() || !Take(pid)) return;
      pids_[pending_] = pid;
      pidfds_[pending_++] = OpenPid(pid);
    });
    for (int i = 0; i < opened; ++i) {
      if (members.Has(pids_[i])) Tell(pidfds_[i]);
    }
    DropPending(opened);
    return pending_;
  }

  // A round through the descendants of `parent`. Returns how many were told.
  //
  // A grandchild's number is used only through a pidfd, and only after its parent was seen to be
  // the expected one: the stat file is read after the pidfd was opened, and the parent, held by a
  // pidfd too, was alive after that. A number that was reused in between then belongs to a child of
  // that parent, hence to the tree.
  int TellDescendants(pid_t parent, int parent_pidfd = -1, int depth = 0) {
    int count = 0;
    if (depth > kMaxDepth) return count;
    ForEachChild(parent, [&](pid_t pid) {
      const int pidfd = HasEnough() ? -1 : OpenPid(pid);
      if (pidfd < 0) return;
      const bool child = parent_pidfd < 0 || StatField(pid, 4) == static_cast<uint64_t>(parent);
      if (child && !IsAdoptingShim(pid) && (parent_pidfd < 0 || Send(parent_pidfd, 0))) {
        if (Take(pid) && Tell(pidfd)) ++count;
        count += TellDescendants(pid, pidfd, depth + 1);
      }
      close(pidfd);
    });
    return count;
  }

 private:
  bool Tell(int pidfd) { return Send(pidfd, number_) && Send(pidfd, SIGCONT); }

  // The first `count`.
  void DropPending(int count) {
    for (int i = 0; i < count; ++i) close(pidfds_[i]);
    pending_ -= count;
    memmove(pids_, pids_ + count, static_cast<size_t>(pending_) * sizeof(pid_t));
    memmove(pidfds_, pidfds_ + count, static_cast<size_t>(pending_) * sizeof(int));
  }

  const int number_;
  const Enough enough_;
  PidSet told_;
  int capacity_;
  int pending_ = 0;
  pid_t pids_[kBatch];
  int pidfds_[kBatch];
};

}  // namespace

Tree::~Tree() {
  if (events_fd_ >= 0) close(events_fd_);
  if (kill_fd_ >= 0) close(kill_fd_);
}

bool Tree::LeaveCgroup() {
  if (refuge_fd_ < 0) return !refused_;
  bool inside = false;
  ForEachPid(OpenMembers(cgroup_fd_), [&](pid_t pid) { inside = inside || pid == getpid(); });
  const int fd = openat(refuge_fd_, "cgroup.procs", O_WRONLY | O_CLOEXEC);
  refused_ = !inside || write(fd, "0", 1) != 1;
  close(fd);
  if (refused_) cgroup_fd_ = -1;
  refuge_fd_ = -1;
  return !refused_;
}

void Tree::Signal(int number, const Enough& enough) {
  LeaveCgroup();
  Telling telling(number, enough);
  // The process, whose number is safe while it is not reaped. Without /proc and cgroup its group,
  // too, if it has come to lead one: nothing else is known.
  if (main_ > 0 && telling.Take(main_)) {
    const bool sees_tree = cgroup_fd_ >= 0 || access("/proc/self", F_OK) == 0;
    const pid_t told = !sees_tree && kill(-main_, number) == 0 ? -main_ : main_;
    if (told > 0) kill(told, number);
    kill(told, SIGCONT);
  }
  for (int round = 0; round < kMaxRounds && !telling.HasEnough(); ++round) {
    const int found = cgroup_fd_ >= 0 ? telling.TellMembers(cgroup_fd_) : 0;
    if (found > 0 && (round == 0 || telling.is_full())) continue;  // what was found is told first
    if (telling.TellDescendants(getpid()) + found == 0) return;
  }
}

// Not to one that may be ending in order: SIGHUP would cut that off.
void Tree::HangUp() {
  if (main_ <= 0 || !IgnoresSignal(main_, SIGTERM)) return;
  kill(main_, SIGHUP);
  kill(main_, SIGCONT);
}

void Tree::Kill() {
  if (LeaveCgroup() && cgroup_fd_ >= 0) {
    if (kill_fd_ < 0) kill_fd_ = openat(cgroup_fd_, "cgroup.kill", O_WRONLY | O_CLOEXEC);
    [[maybe_unused]] ssize_t written = write(kill_fd_, "1", 1);
  }
  if (main_ > 0 && kill(-main_, SIGKILL) != 0) kill(main_, SIGKILL);
  ForEachChild(getpid(), [](pid_t pid) {
    if (!IsAdoptingShim(pid)) kill(pid, SIGKILL);
  });
}

// Only this process takes children off the list, and it is not doing so now: none is missed.
bool Tree::OnlyAdoptingShims() {
  bool any = false;
  bool only = true;
  ForEachChild(getpid(), [&](pid_t pid) {
    any = true;
    only = only && IsAdoptingShim(pid);
  });
  return any && only;
}

bool Tree::CgroupPopulated() {
  if (!LeaveCgroup() || cgroup_fd_ < 0) return false;
  if (events_fd_ < 0) events_fd_ = openat(cgroup_fd_, "cgroup.events", O_RDONLY | O_CLOEXEC);
  if (events_fd_ < 0) return errno != ENOENT && errno != ENODEV;
  char events[128];
  const ssize_t size = pread(events_fd_, events, sizeof(events) - 1, 0);
  if (size <= 0) return errno != ENODEV;
  events[size] = 0;
  const char* populated = strstr(events, "populated ");
  return populated == nullptr || populated[strlen("populated ")] != '0';
}

int Tree::Survivors(int32_t* pids, int capacity) {
  PidSet seen(told_bits);
  seen.Add(getpid());  // an adopting shim may be in the cgroup yet
  int count = 0;
  const auto add = [&](pid_t pid) {
    if (IsZombie(pid)) return;
    if (count < capacity) pids[count] = pid;
    ++count;
  };
  const auto walk = [&](const auto& below, pid_t parent, int depth) -> void {
    ForEachChild(parent, [&](pid_t pid) {
      if (depth > kMaxDepth || IsAdoptingShim(pid)) return;
      if (seen.Add(pid)) add(pid);
      below(below, pid, depth + 1);
    });
  };
  walk(walk, getpid(), 0);
  if (cgroup_fd_ < 0) return count;
  ForEachPid(OpenMembers(cgroup_fd_), [&](pid_t pid) {
    if (seen.Add(pid)) add(pid);
  });
  return count;
}

}  // namespace shoal::shim
