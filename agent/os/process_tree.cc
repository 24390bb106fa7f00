#include "agent/os/process_tree.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "agent/os/descriptor.h"
#include "agent/os/directory.h"
#include "common/status.h"
#include "common/unique_fd.h"

namespace shoal::agent {
namespace {

// Children of every thread of `pid` by /proc/PID/task/TID/children (CONFIG_PROC_CHILDREN). False
// where the kernel does not have it.
absl::StatusOr<bool> AppendChildren(int pid, std::vector<int>* children) {
  absl::StatusOr<UniqueFd> tasks =
      OpenAt(AT_FDCWD, absl::StrCat("/proc/", pid, "/task"), O_RDONLY | O_DIRECTORY);
  if (absl::IsResourceExhausted(tasks.status())) return tasks.status();
  if (!tasks.ok()) return true;  // Gone: it has none.
  bool known = true;
  for (const std::string& task : SubdirectoriesOf(tasks->get())) {
    const absl::StatusOr<std::string> text =
        ReadSmallFile(tasks->get(), absl::StrCat(task, "/children"));
    if (absl::IsResourceExhausted(text.status())) return text.status();
    if (!text.ok()) {
      known = known && ReadProcStat(pid) == std::nullopt;
      continue;
    }
    for (absl::string_view word : absl::StrSplit(*text, ' ', absl::SkipEmpty())) {
      int child = 0;
      if (absl::SimpleAtoi(word, &child) && child > 0) children->push_back(child);
    }
  }
  return known;
}

// Nothing: it is gone, or hidden.
absl::StatusOr<std::optional<ProcStat>> Look(int pid) {
  errno = 0;
  std::optional<ProcStat> stat = ReadProcStat(pid);
  if (!stat) {
    absl::Status unread = ErrnoStatus(errno, absl::StrCat("read of process ", pid));
    if (absl::IsResourceExhausted(unread)) return unread;
  }
  return stat;
}

bool IsAlive(const ProcStat& stat) { return stat.state != 'Z' && stat.state != 'X'; }

// The same from the parents of every process of the host.
absl::StatusOr<std::vector<int>> DescendantsByParents(
    int root, absl::FunctionRef<bool(const ProcStat&)> is_apart) {
  absl::flat_hash_map<int, std::vector<int>> children;
  const std::vector<int> pids = ListPids();
  if (pids.empty()) return absl::ResourceExhaustedError("/proc cannot be read");
  for (int pid : pids) {
    SHOAL_ASSIGN_OR_RETURN(const std::optional<ProcStat> stat, Look(pid));
    if (stat && !is_apart(*stat)) children[stat->parent].push_back(pid);
  }
  std::vector<int> found = {root};
  for (size_t i = 0; i < found.size(); ++i) {
    const std::vector<int> below = std::exchange(children[found[i]], {});
    found.insert(found.end(), below.begin(), below.end());
  }
  return found;
}

}  // namespace

absl::StatusOr<std::vector<int>> DescendantsOf(int root,
                                               absl::FunctionRef<bool(const ProcStat&)> is_apart) {
  std::vector<int> found = {root};
  bool known = true;
  // A pid may be met twice while processes come and go; its children are looked at once.
  for (size_t i = 0; i < found.size() && known; ++i) {
    std::vector<int> children;
    SHOAL_ASSIGN_OR_RETURN(known, AppendChildren(found[i], &children));
    for (int child : children) {
      if (std::find(found.begin(), found.end(), child) != found.end()) continue;
      SHOAL_ASSIGN_OR_RETURN(const std::optional<ProcStat> stat, Look(child));
      if (stat && !is_apart(*stat)) found.push_back(child);
    }
  }
  if (!known) {
    SHOAL_ASSIGN_OR_RETURN(found, DescendantsByParents(root, is_apart));
  }
  found.erase(found.begin());
  std::vector<int> living;
  for (const int pid : found) {
    SHOAL_ASSIGN_OR_RETURN(const std::optional<ProcStat> stat, Look(pid));
    if (stat && IsAlive(*stat)) living.push_back(pid);
  }
  return living;
}

LiveUsage UsageOf(int pid, const std::vector<int>& members) {
  LiveUsage usage;
  if (const std::optional<ProcStat> stat = ReadProcStat(pid)) {
    usage.cpu_time = stat->cpu_time;
    usage.rss_bytes = stat->rss_bytes;
    usage.stopped = IsStopped(*stat);
  }
  usage.descendants = static_cast<int>(
      std::count_if(members.begin(), members.end(), [pid](int member) { return member != pid; }));
  return usage;
}

}  // namespace shoal::agent
