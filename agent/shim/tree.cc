#include "agent/shim/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "agent/shim/text.h"

namespace shoal::shim {
namespace {

constexpr int kMaxRounds = 4;
constexpr int kMaxDepth = 128;  // each level holds three descriptors
constexpr int kBatch = 64;

// The set of pids that a signal was sent to; 512 KiB of address space, of which few pages are
// touched.
class PidSet {
 public:
  PidSet() {
    void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bits_ = memory == MAP_FAILED ? nullptr : static_cast<uint8_t*>(memory);
  }
  ~PidSet() {
    if (bits_ != nullptr) munmap(bits_, kBytes);
  }
  PidSet(const PidSet&) = delete;
  PidSet& operator=(const PidSet&) = delete;

  bool Has(pid_t pid) const { return bits_ != nullptr && (bits_[pid / 8] & Bit(pid)) != 0; }
  void Add(pid_t pid) {
    if (bits_ != nullptr) bits_[pid / 8] = static_cast<uint8_t>(bits_[pid / 8] | Bit(pid));
  }

 private:
  static constexpr size_t kBytes = (size_t{1} << 22) / 8;  // PID_MAX_LIMIT
  static unsigned Bit(pid_t pid) { return 1u << (pid % 8); }
  uint8_t* bits_;
};

// Calls visit(pid) for every number in the file; closes it. The list may change meanwhile.
template <typename Visit>
void ForEachPid(int fd, Visit visit) {
  char buffer[512];
  pid_t pid = 0;
  ssize_t size;
  while ((size = read(fd, buffer, sizeof(buffer))) > 0) {
    for (ssize_t i = 0; i < size; ++i) {
      if (buffer[i] >= '0' && buffer[i] <= '9') {
        pid = pid * 10 + (buffer[i] - '0');
      } else {
        if (pid > 0) visit(pid);
        pid = 0;
      }
    }
  }
  if (pid > 0) visit(pid);
  close(fd);
}

// Calls visit(pid) for every child of every thread of `parent`.
template <typename Visit>
void ForEachChild(pid_t parent, Visit visit) {
  Text<64> path;
  path.Add("/proc/").Number(static_cast<uint64_t>(parent)).Add("/task");
  const int tasks = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (tasks < 0) return;
  alignas(uint64_t) char buffer[512];
  long size;
  while ((size = syscall(SYS_getdents64, tasks, buffer, sizeof(buffer))) > 0) {
    for (long at = 0; at < size;) {
      const char* name =
          buffer + at + 19;  // struct linux_dirent64: ino 8, off 8, reclen 2, type 1, name
      uint16_t length;
      memcpy(&length, buffer + at + 16, sizeof(length));
      at += length;
      if (name[0] == '.') continue;
      Text<48> children;
      children.Add(name).Add("/children");
      const int fd = openat(tasks, children.c_str(), O_RDONLY | O_CLOEXEC);
      if (fd >= 0) ForEachPid(fd, visit);
    }
  }
  close(tasks);
}

int OpenPid(pid_t pid) { return static_cast<int>(syscall(SYS_pidfd_open, pid, 0)); }
bool Send(int pidfd, int number) {
  return syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0) == 0;
}

// Parent of `pid` as /proc has it now; 0 if it cannot be read.
pid_t ParentOf(pid_t pid) {
  Text<32> path;
  path.Add("/proc/").Number(static_cast<uint64_t>(pid)).Add("/stat");
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char stat[256];
  const ssize_t size = read(fd, stat, sizeof(stat) - 1);
  close(fd);
  if (size <= 0) return 0;
  stat[size] = 0;
  const char* p = strrchr(stat, ')');  // ") S PPID "
  if (p == nullptr || strlen(p) < 5) return 0;
  pid_t parent = 0;
  for (p += 4; *p >= '0' && *p <= '9'; ++p) parent = parent * 10 + (*p - '0');
  return parent;
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
    ForEachChild(parent, [&](pid_t pid) { Visit(pid, parent, parent_pidfd, depth); });
  }

  void Visit(pid_t pid, pid_t parent, int parent_pidfd, int depth) {
    const int pidfd = OpenPid(pid);
    if (pidfd < 0) return;
    const bool ours = parent_pidfd < 0 || (ParentOf(pid) == parent && Send(parent_pidfd, 0));
    if (ours) {
      if (!told->Has(pid) && Send(pidfd, number)) {
        told->Add(pid);
        ++count;
      }
      Descend(pid, pidfd, depth + 1);
    }
    close(pidfd);
  }
};

}  // namespace

int Tree::OpenInCgroup(const char* name, int flags) const {
  return openat(cgroup_fd_, name, flags | O_CLOEXEC);
}

namespace {

// Members of the cgroup: pidfds are opened for a batch, the list is read again, and who is still in
// it is told. A number that was reused in between is either not in the list, or belongs to a
// member.
int SignalCgroup(int cgroup_fd, int number, PidSet* told) {
  int count = 0;
  for (bool more = true; more;) {
    struct Candidate {
      pid_t pid;
      int pidfd;
    } batch[kBatch];
    int size = 0;
    more = false;
    int fd = openat(cgroup_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return count;
    ForEachPid(fd, [&](pid_t pid) {
      if (told->Has(pid)) return;
      if (size == kBatch) {
        more = true;
        return;
      }
      const int pidfd = OpenPid(pid);
      if (pidfd >= 0) batch[size++] = {pid, pidfd};
    });
    if (size == 0) return count;
    fd = openat(cgroup_fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
      ForEachPid(fd, [&](pid_t pid) {
        for (int i = 0; i < size; ++i) {
          if (batch[i].pid != pid || told->Has(pid)) continue;
          if (Send(batch[i].pidfd, number)) ++count;
          told->Add(pid);
        }
      });
    }
    for (int i = 0; i < size; ++i) {
      told->Add(batch[i].pid);
      close(batch[i].pidfd);
    }
  }
  return count;
}

}  // namespace

void Tree::Signal(int number) {
  PidSet told;
  for (int round = 0; round < kMaxRounds; ++round) {
    int count = cgroup_fd_ >= 0 ? SignalCgroup(cgroup_fd_, number, &told) : 0;
    Walk walk = {number, &told};
    walk.Descend(getpid(), -1, 0);
    count += walk.count;
    // Without /proc and cgroup: the process, whose number is safe while it is not reaped, and its
    // group.
    if (main_ > 0 && !told.Has(main_)) {
      kill(-main_, number);
      if (getpgid(main_) != main_) kill(main_, number);
      told.Add(main_);
    }
    if (count == 0) return;
  }
}

void Tree::Kill() {
  if (cgroup_fd_ >= 0) {
    if (kill_fd_ < 0) kill_fd_ = OpenInCgroup("cgroup.kill", O_WRONLY);
    [[maybe_unused]] ssize_t written = write(kill_fd_, "1", 1);
  }
  if (main_ > 0) {
    kill(-main_, SIGKILL);
    kill(main_, SIGKILL);
  }
  ForEachChild(getpid(), [](pid_t pid) { kill(pid, SIGKILL); });
}

bool Tree::CgroupPopulated() {
  if (cgroup_fd_ < 0) return false;
  if (events_fd_ < 0) events_fd_ = OpenInCgroup("cgroup.events", O_RDONLY);
  if (events_fd_ < 0) return errno != ENOENT && errno != ENODEV;
  char events[128];
  const ssize_t size = pread(events_fd_, events, sizeof(events) - 1, 0);
  if (size <= 0) return errno != ENODEV;
  events[size] = 0;
  const char* populated = strstr(events, "populated ");
  return populated == nullptr || populated[strlen("populated ")] != '0';
}

int Tree::Survivors(int32_t* pids, int capacity) {
  PidSet seen;
  int count = 0;
  const auto add = [&](pid_t pid) {
    if (seen.Has(pid)) return;
    seen.Add(pid);
    if (count < capacity) pids[count] = pid;
    ++count;
  };
  if (cgroup_fd_ >= 0) {
    const int fd = OpenInCgroup("cgroup.procs", O_RDONLY);
    if (fd >= 0) ForEachPid(fd, add);
  }
  ForEachChild(getpid(), add);
  return count;
}

}  // namespace shoal::shim
