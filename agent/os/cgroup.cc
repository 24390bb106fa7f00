#include "agent/os/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/os/descriptor.h"
#include "agent/os/directory.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr char kProcesses[] = "p";
constexpr char kShims[] = "shims";

bool IsCgroup2(const std::string& path) {
  struct statfs facts {};
  return statfs(path.c_str(), &facts) == 0 && facts.f_type == CGROUP2_SUPER_MAGIC;
}

// Where the v2 hierarchy is mounted: the usual places first, then what the kernel says.
std::string FindMount() {
  for (const char* usual : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    if (IsCgroup2(usual)) return usual;
  }
  const absl::StatusOr<std::string> mounts = ReadSmallFile(AT_FDCWD, "/proc/self/mounts");
  if (!mounts.ok()) return {};
  for (absl::string_view line : absl::StrSplit(*mounts, '\n')) {
    const std::vector<std::string> fields = absl::StrSplit(line, ' ');
    if (fields.size() > 2 && fields[2] == "cgroup2") return fields[1];
  }
  return {};
}

// The cgroup of a process ("self" or its pid) below the mount, "/" for its root; empty if unknown.
std::string CgroupOf(absl::string_view process) {
  const absl::StatusOr<std::string> text =
      ReadSmallFile(AT_FDCWD, absl::StrCat("/proc/", process, "/cgroup"));
  if (!text.ok()) return {};
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (absl::ConsumePrefix(&line, "0::")) return std::string(line);
  }
  return {};
}

// Processes of an agent before this one are there, or were until just now.
bool HoldsProcesses(const std::string& base) {
  if (base.empty()) return false;
  const absl::StatusOr<UniqueFd> processes =
      OpenAt(AT_FDCWD, absl::StrCat(base, "/", kProcesses), O_RDONLY | O_DIRECTORY);
  return processes.ok() && !SubdirectoriesOf(processes->get()).empty();
}

absl::Status Refused(int error_number, absl::string_view operation) {
  return absl::FailedPreconditionError(ErrnoStatus(error_number, operation).message());
}

absl::Status MakeDirectory(const std::string& path, bool* made) {
  *made = mkdir(path.c_str(), 0755) == 0;
  if (*made || errno == EEXIST) return absl::OkStatus();
  return ErrnoStatus(errno, absl::StrCat("mkdir ", path));
}

// Clones a child into the directory and lets it end: the only sure test of delegation, which
// depends on the common ancestor, on thread mode and on controllers.
absl::Status ProbeClone(int directory) {
  clone_args arguments{};
  arguments.flags = CLONE_INTO_CGROUP;
  arguments.cgroup = static_cast<uint64_t>(directory);
  arguments.exit_signal = 0;  // no SIGCHLD: only the waitpid below sees the end
  const long pid = syscall(SYS_clone3, &arguments, sizeof(arguments));
  if (pid == 0) syscall(SYS_exit_group, 0);
  if (pid < 0) return ErrnoStatus(errno, "clone into a new cgroup");
  waitpid(static_cast<pid_t>(pid), nullptr, __WALL);
  return absl::OkStatus();
}

}  // namespace

CgroupBase::CgroupBase(std::string path, UniqueFd processes, UniqueFd shims, bool ours)
    : path_(std::move(path)),
      processes_(std::move(processes)),
      shims_(std::move(shims)),
      ours_(ours) {}

absl::StatusOr<std::unique_ptr<CgroupBase>> CgroupBase::Find(const CgroupOptions& options) {
  std::vector<std::string> places;
  if (HoldsProcesses(options.recorded)) places.push_back(options.recorded);
  if (!options.base.empty()) {
    places.push_back(options.base);
  } else if (const std::string mount = FindMount(); !mount.empty()) {
    const std::string own = CgroupOf("self");
    const std::string name = absl::StrCat("shoal-", options.unique);
    if (own.size() > 1) places.push_back(absl::StrCat(mount, own, "/", name));
    places.push_back(absl::StrCat(mount, "/", name));
  }
  std::vector<std::string> reasons;
  for (const std::string& place : places) {
    absl::StatusOr<std::unique_ptr<CgroupBase>> base =
        TryPlace(place, absl::EndsWith(place, absl::StrCat("/shoal-", options.unique)));
    if (base.ok()) return base;
    reasons.push_back(std::string(base.status().message()));
  }
  if (places.empty()) reasons.push_back("no cgroup v2 is mounted");
  return absl::FailedPreconditionError(
      absl::StrCat("no writable cgroup v2: ", absl::StrJoin(reasons, "; ")));
}

absl::StatusOr<std::unique_ptr<CgroupBase>> CgroupBase::TryPlace(const std::string& path,
                                                                 bool ours) {
  bool made = false;
  bool made_processes = false;
  bool made_shims = false;
  SHOAL_RETURN_IF_ERROR(MakeDirectory(path, &made));
  const std::string processes = absl::StrCat(path, "/", kProcesses);
  const std::string shims = absl::StrCat(path, "/", kShims);
  auto open = [&]() -> absl::StatusOr<std::unique_ptr<CgroupBase>> {
    if (!IsCgroup2(path)) {
      return absl::FailedPreconditionError(absl::StrCat(path, " is no cgroup v2"));
    }
    SHOAL_RETURN_IF_ERROR(MakeDirectory(processes, &made_processes));
    SHOAL_RETURN_IF_ERROR(MakeDirectory(shims, &made_shims));
    SHOAL_ASSIGN_OR_RETURN(UniqueFd processes_fd,
                           OpenAt(AT_FDCWD, processes, O_RDONLY | O_DIRECTORY));
    SHOAL_ASSIGN_OR_RETURN(UniqueFd shims_fd, OpenAt(AT_FDCWD, shims, O_RDONLY | O_DIRECTORY));
    auto base = absl::WrapUnique(
        new CgroupBase(path, std::move(processes_fd), std::move(shims_fd), ours || made));
    SHOAL_RETURN_IF_ERROR(base->Probe());
    return base;
  };
  absl::StatusOr<std::unique_ptr<CgroupBase>> base = open();
  if (base.ok()) return base;
  if (made_shims) rmdir(shims.c_str());
  if (made_processes) rmdir(processes.c_str());
  if (made) rmdir(path.c_str());
  return base;
}

absl::Status CgroupBase::Probe() {
  const std::string name = absl::StrCat("probe-", getpid());
  SHOAL_ASSIGN_OR_RETURN(UniqueFd directory, Create(name));
  has_kill_ = faccessat(directory.get(), "cgroup.kill", W_OK, 0) == 0;
  has_memory_ = faccessat(directory.get(), "memory.events", R_OK, 0) == 0;
  absl::Status status = ProbeClone(directory.get());
  Remove(name).IgnoreError();
  if (status.ok()) return status;
  return absl::FailedPreconditionError(absl::StrCat(path_, ": ", status.message()));
}

absl::StatusOr<UniqueFd> CgroupBase::Create(const std::string& id) const {
  if (mkdirat(processes_.get(), id.c_str(), 0755) != 0 && errno != EEXIST) {
    return Refused(errno, absl::StrCat("mkdir ", path_, "/p/", id));
  }
  absl::StatusOr<UniqueFd> directory = Open(id);
  if (!directory.ok()) Remove(id).IgnoreError();
  return directory;
}

absl::StatusOr<UniqueFd> CgroupBase::Open(const std::string& id) const {
  return OpenAt(processes_.get(), id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

absl::StatusOr<UniqueFd> OpenCgroupOf(const std::string& base, const std::string& id) {
  if (base.empty()) return absl::NotFoundError("no cgroup base");
  return OpenAt(AT_FDCWD, absl::StrCat(base, "/", kProcesses, "/", id),
                O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
}

absl::Status CgroupBase::Remove(const std::string& id) const {
  if (unlinkat(processes_.get(), id.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
    return absl::OkStatus();
  }
  // A process may have made cgroups of its own below; they go first.
  absl::StatusOr<UniqueFd> directory = Open(id);
  if (directory.ok()) RemoveEmptyBelow(directory->get());
  if (unlinkat(processes_.get(), id.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) {
    return absl::OkStatus();
  }
  return Refused(errno, absl::StrCat("rmdir ", path_, "/p/", id));
}

std::vector<std::string> CgroupBase::Ids() const { return SubdirectoriesOf(processes_.get()); }

void CgroupBase::RemoveBase() const {
  for (const std::string& id : Ids()) Remove(id).IgnoreError();
  rmdir(absl::StrCat(path_, "/", kProcesses).c_str());
  rmdir(absl::StrCat(path_, "/", kShims).c_str());
  if (ours_) rmdir(path_.c_str());
}

bool CanBeLeft(const std::string& base) {
  if (geteuid() == 0) return true;
  // The kernel asks for the common ancestor of both cgroups, and for the one that is entered.
  for (const std::string& ancestor : {base, absl::StrCat(base, "/", kProcesses)}) {
    const std::string members = absl::StrCat(ancestor, "/cgroup.procs");
    if (faccessat(AT_FDCWD, members.c_str(), W_OK, AT_EACCESS) == 0) return true;
  }
  return false;
}

absl::Status KillCgroup(int directory) { return WriteControlFile(directory, "cgroup.kill", "1"); }

bool IsCgroupPopulated(int directory) {
  const absl::StatusOr<std::string> events = ReadSmallFile(directory, "cgroup.events");
  // Gone is empty; what cannot be read, for want of a descriptor say, proves nothing.
  if (!events.ok()) return !absl::IsNotFound(events.status());
  return absl::StrContains(*events, "populated 1");
}

int64_t CountOomKills(int directory) {
  const absl::StatusOr<std::string> events = ReadSmallFile(directory, "memory.events");
  if (!events.ok()) return 0;
  for (absl::string_view line : absl::StrSplit(*events, '\n')) {
    int64_t count = 0;
    if (absl::ConsumePrefix(&line, "oom_kill ") && absl::SimpleAtoi(line, &count)) return count;
  }
  return 0;
}

absl::StatusOr<std::vector<int>> CgroupMembers(int directory) {
  std::vector<int> pids;
  absl::Status unread;
  const bool is_whole = ForEachDirectory(directory, [&](int cgroup) {
    const absl::StatusOr<std::string> text = ReadSmallFile(cgroup, "cgroup.procs");
    if (!text.ok()) {
      if (absl::IsResourceExhausted(text.status())) unread.Update(text.status());
      return;
    }
    for (absl::string_view line : absl::StrSplit(*text, '\n', absl::SkipEmpty())) {
      int pid = 0;
      if (absl::SimpleAtoi(line, &pid) && pid > 0) pids.push_back(pid);
    }
  });
  SHOAL_RETURN_IF_ERROR(unread);
  if (!is_whole) return absl::ResourceExhaustedError("cgroups could not be opened");
  std::sort(pids.begin(), pids.end());
  pids.erase(std::unique(pids.begin(), pids.end()), pids.end());
  return pids;
}

std::vector<std::string> IdsInCgroup(int pid) {
  const std::string path = CgroupOf(absl::StrCat(pid));
  const std::vector<absl::string_view> names = absl::StrSplit(path, '/');
  std::vector<std::string> ids;
  for (size_t i = names.size(); i-- > 1;) {
    if (names[i - 1] != kProcesses) continue;
    if (i + 1 < names.size()) ids.emplace_back(names[i + 1]);  // it may run beside that one
    ids.emplace_back(names[i]);
  }
  return ids;
}

}  // namespace shoal::agent
