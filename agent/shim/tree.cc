#include "agent/shim/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/shim/proc.h"

namespace shoal::shim {
namespace {

constexpr int kMaxRounds = 1000;  // a few, but for batches of members
constexpr int kMaxDepth = 128;    // each level holds three descriptors
constexpr int kBatch = 64;
constexpr size_t kPids = size_t{1} << 22;  // PID_MAX_LIMIT

// A set of pids in 512 KiB of untouched memory, of which few pages are ever used.
class PidSet {
 public:
  explicit PidSet(uint8_t (&bits)[kPids / 8]) : bits_(bits) {
    madvise(bits, kPids / 8, MADV_DONTNEED);
  }
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

// One walk over the descendants.
//
// A grandchild's number is used only through a pidfd, and only after its parent was seen to be who
// was meant: the stat file is read after the pidfd was opened, and the parent, held by a pidfd too,
// was alive after that. A number that was reused in between then belongs to a child of that parent,
// hence to the tree.
struct Walk {
  int number;
  PidSet* told;
  int count = 0;

  void Descend(pid_t parent, int parent_pidfd, int depth) {
    if (depth > kMaxDepth) return;
    ForEachChild(parent, [&](pid_t pid) {
      const int pidfd = OpenPid(pid);
      if (pidfd < 0) return;
      const bool child = parent_pidfd < 0 || StatField(pid, 4) == static_cast<uint64_t>(parent);
      if (child && !IsAdoptingShim(pid) && (parent_pidfd < 0 || Send(parent_pidfd, 0))) {
        if (told->Add(pid) && Send(pidfd, number)) ++count;
        Descend(pid, pidfd, depth + 1);
      }
      close(pidfd);
    });
  }
};

// Tells the next members of the cgroup, a batch at most; returns how many were looked at. pidfds
// are opened, the list is read again, and who is still in it is told: a number that was reused in
// between is either not in the list, or belongs to a member.
int TellMembers(int cgroup_fd, int number, PidSet* told) {
  pid_t pids[kBatch];
  int pidfds[kBatch];
  int size = 0;
  ForEachPid(OpenMembers(cgroup_fd), [&](pid_t pid) {
    if (size == kBatch || told->Has(pid)) return;
    pids[size] = pid;
    pidfds[size++] = OpenPid(pid);
  });
  PidSet members(member_bits);
  ForEachPid(OpenMembers(cgroup_fd), [&](pid_t pid) { members.Add(pid); });
  for (int i = 0; i < size; ++i) {
    if (members.Has(pids[i])) Send(pidfds[i], number);
    told->Add(pids[i]);
    close(pidfds[i]);
  }
  return size;
}

}  // namespace

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

void Tree::Signal(int number) {
  LeaveCgroup();
  PidSet told(told_bits);
  for (int round = 0; round < kMaxRounds; ++round) {
    int count = cgroup_fd_ >= 0 ? TellMembers(cgroup_fd_, number, &told) : 0;
    if (count == kBatch) continue;
    Walk walk = {number, &told};
    walk.Descend(getpid(), -1, 0);
    // Without /proc and cgroup: the process, whose number is safe while it is not reaped, and its
    // group, if it has come to lead one.
    if (main_ > 0 && told.Add(main_) && kill(-main_, number) != 0) kill(main_, number);
    if (count + walk.count == 0) return;
  }
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
  int count = 0;
  const auto add = [&](pid_t pid) {
    if (!seen.Add(pid)) return;
    if (count < capacity) pids[count] = pid;
    ++count;
  };
  if (cgroup_fd_ >= 0) ForEachPid(OpenMembers(cgroup_fd_), add);
  ForEachChild(getpid(), [&](pid_t pid) {
    if (!IsAdoptingShim(pid)) add(pid);
  });
  return count;
}

}  // namespace shoal::shim
