// The part of SystemShims that looks at the trees of processes, and ends those that have lost their
// shims.
#include <algorithm>
#include <climits>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/os/lost_tree.h"
#include "agent/os/process_signals.h"
#include "agent/os/procfs.h"
#include "agent/os/system_shims.h"
#include "agent/record/adopting_shim.h"
#include "common/keeper_name.h"
#include "common/status.h"

namespace shoal::agent {

void SystemShims::EndLostTree(const std::string& id, absl::AnyInvocable<void(absl::Status)> done) {
  agent::EndLostTree(loop_, cgroups_.get(), CgroupOf(id), std::move(done));
}

void SystemShims::AwaitEmptyTree(const std::string& id,
                                 absl::AnyInvocable<void(absl::Status)> done) {
  agent::AwaitEmptyTree(loop_, cgroups_.get(), CgroupOf(id), std::move(done));
}

absl::StatusOr<std::vector<int>> SystemShims::Members(const ProcessEntry& process) {
  if (cgroups_ != nullptr) {
    absl::StatusOr<UniqueFd> directory = cgroups_->Open(CgroupOf(process.id));
    if (directory.ok()) return CgroupMembers(directory->get());
    if (absl::IsResourceExhausted(directory.status())) return directory.status();
  }
  if (!IsOf(process.slot, process.id)) return std::vector<int>();
  const RecordFile::Halves halves = records_->Read(process.slot);
  if (!halves.shim || !HasId(*halves.shim, process.id)) return std::vector<int>();
  const std::optional<ProcStat> shim = ReadProcStat(halves.shim->shim_pid);
  if (!shim || shim->start_ticks != halves.shim->shim_start_ticks) return std::vector<int>();
  return DescendantsOf(halves.shim->shim_pid,
                       [this](const ProcStat& stat) { return IsAdoptingShim(stat); });
}

absl::StatusOr<std::vector<int>> SystemShims::MembersToStop(const ProcessEntry& process) {
  SHOAL_ASSIGN_OR_RETURN(std::vector<int> members, Members(process));
  std::erase_if(members, [](int pid) { return ReadComm(pid) == kKeeperName; });
  return members;
}

std::vector<int> SystemShims::Orphans(const ProcessEntry& process) {
  std::vector<int> orphans;
  for (const int pid : ListPids()) {
    if (pid != process.pid && ReadInEnvironment(pid, "SHOAL_ID") == process.id) {
      orphans.push_back(pid);
    }
  }
  return orphans;
}

bool SystemShims::IsAdoptingShim(const ProcStat& stat) const {
  if (stat.comm != record::kShimName) return false;
  const std::string words = ReadCommandLine(stat.pid);
  const uint32_t slot = record::SlotOfCommandLine(words.c_str(), words.size());
  if (slot == 0 || slot > INT_MAX) return false;
  const std::optional<record::ShimHalf> shim = records_->Read(static_cast<int>(slot)).shim;
  return shim && record::IsOfAdoptingShim(*shim, stat.pid, stat.start_ticks);
}

absl::Status SystemShims::Signal(const ProcessEntry& process, int signal, SignalScope scope) {
  switch (scope) {
    case SignalScope::kProcess:
      return SignalProcess(process.pid, process.start_ticks, signal);
    case SignalScope::kGroup:
      return SignalGroup(process.pid, process.start_ticks, signal);
    case SignalScope::kTree:
      return SignalMembers(
          [&] { return signal == SIGSTOP ? MembersToStop(process) : Members(process); }, signal);
  }
  return absl::InvalidArgumentError(absl::StrCat("unknown signal scope ", static_cast<int>(scope)));
}

bool SystemShims::WasOutOfMemory(const std::string& id) {
  if (cgroups_ == nullptr || !cgroups_->has_memory()) return false;
  absl::StatusOr<UniqueFd> directory = cgroups_->Open(CgroupOf(id));
  return directory.ok() && CountOomKills(directory->get()) > 0;
}

std::vector<Survivor> SystemShims::Describe(const std::vector<int>& pids) {
  std::vector<Survivor> survivors;
  survivors.reserve(pids.size());
  for (int pid : pids) survivors.push_back({pid, ReadComm(pid), ReadWaitChannel(pid)});
  return survivors;
}

}  // namespace shoal::agent
