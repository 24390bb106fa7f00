#include "agent/os/host_checks.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/os/descriptor.h"
#include "agent/os/host_facts.h"

namespace shoal::agent {
namespace {

using Result = HostCheck::Result;

constexpr uint64_t kDescriptorsWanted = 16 << 10;  // 10,000 processes and some clients
constexpr int64_t kPidsWanted = 4096;
constexpr int64_t kFreeBytesWanted = int64_t{1} << 30;

HostCheck Good(std::string name, std::string detail) {
  return {std::move(name), Result::kOk, std::move(detail), ""};
}

bool IsOnTmpfs(const std::string& path) {
  struct statfs facts {};
  return statfs(path.c_str(), &facts) == 0 &&
         (facts.f_type == TMPFS_MAGIC || facts.f_type == RAMFS_MAGIC);
}

// The pids limits of the own cgroup, v2 and v1; negative: none.
int64_t ReadPidLimit() {
  int64_t limit = -1;
  const std::string groups = ReadSmallFile(AT_FDCWD, "/proc/self/cgroup").value_or("");
  for (absl::string_view line : absl::StrSplit(groups, '\n')) {
    const std::vector<std::string> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3 || (!fields[1].empty() && fields[1] != "pids")) continue;
    for (const char* mount : {"/sys/fs/cgroup", "/sys/fs/cgroup/pids"}) {
      const std::string text =
          ReadSmallFile(AT_FDCWD, absl::StrCat(mount, fields[2], "/pids.max")).value_or("");
      int64_t value = 0;
      if (absl::SimpleAtoi(text, &value)) limit = limit < 0 ? value : std::min(limit, value);
    }
  }
  rlimit processes{};
  if (geteuid() != 0 && getrlimit(RLIMIT_NPROC, &processes) == 0 &&
      processes.rlim_cur != RLIM_INFINITY) {
    const auto value = static_cast<int64_t>(processes.rlim_cur);
    limit = limit < 0 ? value : std::min(limit, value);
  }
  return limit;
}

// The name of a file system that other hosts see too; null for a local one.
const char* RemoteFileSystem(const struct statfs& facts) {
  struct Remote {
    unsigned long magic;
    const char* name;
  };
  static constexpr std::array<Remote, 8> kRemotes = {{{0x6969, "NFS"},
                                                      {0x517b, "SMB"},
                                                      {0xff534d42, "CIFS"},
                                                      {0xfe534d42, "SMB2"},
                                                      {0x01021997, "9P"},
                                                      {0x00c36400, "Ceph"},
                                                      {0x0bd00bd0, "Lustre"},
                                                      {0x47504653, "GPFS"}}};
  for (const Remote& remote : kRemotes) {
    if (remote.magic == (static_cast<unsigned long>(facts.f_type) & 0xffffffffUL)) {
      return remote.name;
    }
  }
  return nullptr;
}

}  // namespace

std::vector<HostCheck> CheckHost(const HostCheckInput& input) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  std::vector<HostCheck> checks = {CheckCgroup(input.cgroups, input.cgroup_status),
                                   CheckKernel(ReadHostFacts().kernel_version),
                                   CheckSubreaper(),
                                   CheckDescriptorLimit(files.rlim_max),
                                   CheckPidLimit(ReadPidLimit()),
                                   CheckRunDir(input.run_dir),
                                   CheckStateDir(input.state_dir)};
  if (input.insecure_loopback) checks.push_back(CheckInsecureLoopback());
  static const std::optional<SystemdUnit> kUnit = ReadSystemdUnit();  // Asks the bus once.
  if (kUnit) checks.push_back(CheckSystemd(*kUnit));
  return checks;
}

HostCheck CheckCgroup(const CgroupBase* cgroups, const absl::Status& status) {
  if (cgroups == nullptr) {
    return {"cgroup", Result::kDegraded,
            absl::StrCat(status.message(),
                         "; trees are proven empty by reaping alone, and the "
                         "tree of a killed shim is not ended"),
            "Give the agent a delegated cgroup v2 directory: install the systemd units, or start "
            "shoald with --cgroup-base DIR."};
  }
  if (!cgroups->has_kill()) {
    return {"cgroup", Result::kDegraded,
            absl::StrCat(cgroups->path(), " is writable but has no cgroup.kill"),
            "Run Linux 5.14 or newer."};
  }
  return Good("cgroup", absl::StrCat(cgroups->path(), " is writable, cgroup.kill is there"));
}

HostCheck CheckKernel(const std::string& version) {
  if (KernelIsAtLeast(version, 5, 14)) return Good("kernel", version);
  return {"kernel", Result::kFailed, absl::StrCat(version, " is older than 5.14"),
          "Run Linux 5.14 or newer."};
}

HostCheck CheckDescriptorLimit(uint64_t hard_limit) {
  const std::string detail = absl::StrCat("hard limit ", hard_limit, ", one for each process");
  if (hard_limit >= kDescriptorsWanted) return Good("fd limit", detail);
  return {"fd limit", Result::kDegraded, detail,
          absl::StrCat("Raise the agent's hard RLIMIT_NOFILE to ", kDescriptorsWanted,
                       " or more (LimitNOFILE= in its unit).")};
}

HostCheck CheckPidLimit(int64_t limit) {
  if (limit < 0) return Good("pid limit", "none but the host's");
  const std::string detail =
      absl::StrCat(limit, " processes and threads, two and more for each process started");
  if (limit >= kPidsWanted) return Good("pid limit", detail);
  return {"pid limit", Result::kDegraded, detail,
          "Raise the pids limit of the agent's cgroup (TasksMax=infinity in its unit) and its "
          "RLIMIT_NPROC."};
}

std::string RunDirRemedy(const std::string& run_dir,
                         absl::FunctionRef<bool(const std::string&)> is_on_tmpfs) {
  for (const char* place : {"/run", "/dev/shm"}) {
    if (is_on_tmpfs(place))
      return absl::StrCat("Put --run-dir below ", place, ", which is on tmpfs.");
  }
  return absl::StrCat(
      "Nothing here is on tmpfs, /run and /dev/shm included: stop the agent, `mount -t "
      "tmpfs -o mode=0700 tmpfs ",
      run_dir, "`, and start it again.");
}

HostCheck CheckRunDir(const std::string& run_dir) {
  struct statfs facts {};
  if (statfs(run_dir.c_str(), &facts) != 0) {
    return {"run directory", Result::kFailed, absl::StrCat(run_dir, ": ", std::strerror(errno)),
            "Stop the agent and start it again: it makes its run directory."};
  }
  if (IsOnTmpfs(run_dir)) {
    return Good("run directory", absl::StrCat(run_dir, " is on tmpfs"));
  }
  return {"run directory", Result::kDegraded,
          absl::StrCat(run_dir, " is not on tmpfs: records cost disk writes"),
          RunDirRemedy(run_dir, &IsOnTmpfs)};
}

HostCheck CheckStateDir(const std::string& state_dir) {
  struct statfs facts {};
  struct statvfs space {};
  if (statfs(state_dir.c_str(), &facts) != 0 || statvfs(state_dir.c_str(), &space) != 0 ||
      access(state_dir.c_str(), W_OK) != 0 || (space.f_flag & ST_RDONLY) != 0) {
    return {"state directory", Result::kFailed, absl::StrCat(state_dir, " is not writable"),
            "Mount it read-write and give it to the agent's user, or choose another --state-dir."};
  }
  if (const char* remote = RemoteFileSystem(facts)) {
    return {"state directory", Result::kDegraded, absl::StrCat(state_dir, " is on ", remote),
            "Choose a --state-dir on a local disk: locks and commits over a network do not hold."};
  }
  const auto free_bytes = static_cast<int64_t>(space.f_bavail * space.f_frsize);
  const std::string detail = absl::StrFormat("%s is local, %.1f GiB free", state_dir,
                                             static_cast<double>(free_bytes) / (1 << 30));
  if (free_bytes >= kFreeBytesWanted) return Good("state directory", detail);
  return {"state directory", Result::kDegraded, detail,
          "Free some space: when it runs out, writers of output wait."};
}

HostCheck CheckSubreaper() {
  int value = 0;
  if (prctl(PR_GET_CHILD_SUBREAPER, &value) == 0) return Good("subreaper", "supported");
  return {"subreaper", Result::kFailed, "PR_SET_CHILD_SUBREAPER is refused",
          "Allow prctl(2) in the container's seccomp profile."};
}

HostCheck CheckInsecureLoopback() {
  return {"access", Result::kDegraded,
          absl::StrCat("--insecure-loopback: any local user may run commands as uid ", geteuid()),
          "Give --tls-cert, --tls-key, --tls-ca and --allow-identity instead."};
}

HostCheck CheckSystemd(const SystemdUnit& unit) {
  if (unit.kill_mode == "process" || unit.kill_mode == "none") {
    return Good("systemd", absl::StrCat(unit.name, " has KillMode=", unit.kill_mode));
  }
  if (unit.kill_mode.empty()) {
    return {"systemd", Result::kDegraded,
            absl::StrCat(unit.name, " may not have KillMode=process: the bus did not tell"),
            absl::StrCat("See `systemctl show -p KillMode ", unit.name, "`.")};
  }
  return {"systemd", Result::kFailed,
          absl::StrCat(unit.name, " has KillMode=", unit.kill_mode,
                       ": a restart of the agent ends its shims"),
          absl::StrCat("Set KillMode=process in ", unit.name, ".")};
}

}  // namespace shoal::agent
