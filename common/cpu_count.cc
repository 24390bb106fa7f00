#include "common/cpu_count.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace shoal {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

int CoresOf(int64_t quota_us, int64_t period_us) {
  if (quota_us <= 0 || period_us <= 0) return 0;
  return static_cast<int>((quota_us + period_us - 1) / period_us);
}

int QuotaInV2(const std::string& directory) {
  std::vector<std::string> words =
      absl::StrSplit(ReadFile(directory + "/cpu.max"), absl::ByAnyChar(" \n"), absl::SkipEmpty());
  int64_t quota = 0, period = 0;
  if (words.size() != 2 || !absl::SimpleAtoi(words[0], &quota) ||
      !absl::SimpleAtoi(words[1], &period)) {
    return 0;  // "max 100000", or no such file
  }
  return CoresOf(quota, period);
}

int QuotaInV1(const std::string& directory) {
  int64_t quota = 0, period = 0;
  if (!absl::SimpleAtoi(ReadFile(directory + "/cpu.cfs_quota_us"), &quota) ||
      !absl::SimpleAtoi(ReadFile(directory + "/cpu.cfs_period_us"), &period)) {
    return 0;
  }
  return CoresOf(quota, period);
}

// The tightest quota on the way from `path` up to `root`.
int TightestQuota(const std::string& root, absl::string_view path,
                  int (*read)(const std::string&)) {
  int tightest = 0;
  while (true) {
    int quota = read(absl::StrCat(root, path == "/" ? "" : path));
    if (quota > 0) tightest = tightest == 0 ? quota : std::min(tightest, quota);
    size_t slash = path.rfind('/');
    if (path.empty() || slash == absl::string_view::npos) return tightest;
    path = path.substr(0, slash);
  }
}

}  // namespace

int CpuQuota(absl::string_view proc_cgroup, const std::string& cgroup_root) {
  int tightest = 0;
  auto merge = [&](int quota) {
    if (quota > 0) tightest = tightest == 0 ? quota : std::min(tightest, quota);
  };
  for (absl::string_view line : absl::StrSplit(proc_cgroup, '\n', absl::SkipEmpty())) {
    std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3) continue;
    std::vector<absl::string_view> controllers = absl::StrSplit(fields[1], ',');
    if (fields[1].empty()) {
      merge(TightestQuota(cgroup_root, fields[2], QuotaInV2));
      merge(TightestQuota(cgroup_root + "/unified", fields[2], QuotaInV2));
    } else if (std::find(controllers.begin(), controllers.end(), "cpu") != controllers.end()) {
      merge(TightestQuota(absl::StrCat(cgroup_root, "/", fields[1]), fields[2], QuotaInV1));
    }
  }
  return tightest;
}

int CpuCount() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  int cores = sched_getaffinity(0, sizeof(mask), &mask) == 0 ? CPU_COUNT(&mask) : 1;
  int quota = CpuQuota(ReadFile("/proc/self/cgroup"), "/sys/fs/cgroup");
  if (quota > 0) cores = std::min(cores, quota);
  return std::max(cores, 1);
}

}  // namespace shoal
