// What the four promises stand on here, for `shoal doctor`.
//
// Thread-safety: thread-safe.
// Blocking:      a few system calls; the first CheckHost up to 1 s on systemd's bus.
#ifndef SHOAL_AGENT_OS_HOST_CHECKS_H_
#define SHOAL_AGENT_OS_HOST_CHECKS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "agent/os/cgroup.h"
#include "agent/os/systemd_unit.h"

namespace shoal::agent {

struct HostCheck {
  enum class Result { kOk, kDegraded, kFailed };
  std::string name;
  Result result = Result::kOk;
  std::string detail;
  std::string remedy;  // empty when OK
};

struct HostCheckInput {
  std::string run_dir;
  std::string state_dir;
  const CgroupBase* cgroups = nullptr;  // null: none; `cgroup_status` says why
  absl::Status cgroup_status;
  bool insecure_loopback = false;
};

// All checks, in the order in which a person should read them.
std::vector<HostCheck> CheckHost(const HostCheckInput& input);

// The single ones.
HostCheck CheckCgroup(const CgroupBase* cgroups, const absl::Status& status);
HostCheck CheckKernel(const std::string& version);
HostCheck CheckDescriptorLimit(uint64_t hard_limit);
HostCheck CheckPidLimit(int64_t limit);  // negative: none
HostCheck CheckRunDir(const std::string& run_dir);
// Where records would cost no disk writes, by what is on tmpfs on this host.
std::string RunDirRemedy(const std::string& run_dir,
                         absl::FunctionRef<bool(const std::string&)> is_on_tmpfs);
HostCheck CheckStateDir(const std::string& state_dir);
HostCheck CheckSubreaper();
HostCheck CheckInsecureLoopback();  // of an agent that has it
HostCheck CheckSystemd(const SystemdUnit& unit);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_HOST_CHECKS_H_
