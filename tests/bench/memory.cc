// Memory and wake-ups of an agent at rest, against a bare gRPC server; memory of a live process;
// the restart with many of them.
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "tests/bench/bench_agent.h"
#include "tests/support/system/binaries.h"

namespace shoal::bench {
namespace {

// The number behind `key` in a file of lines "key: 123 kB", 0 if there is none.
double FieldOf(const std::string& path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key + ":", 0) != 0) continue;
    return strtod(line.c_str() + key.size() + 1, nullptr);
  }
  return 0;
}

double Switches(int pid) {
  double sum = 0;
  std::error_code ignored;
  for (const auto& task :
       std::filesystem::directory_iterator(absl::StrCat("/proc/", pid, "/task"), ignored)) {
    sum += FieldOf(task.path() / "status", "voluntary_ctxt_switches");
  }
  return sum;
}

struct AtRest {
  double rss_mb = 0;
  double pss_mb = 0;
  double wakeups_per_second = 0;
};

AtRest Measure(int pid, int seconds) {
  AtRest rest;
  const double before = Switches(pid);
  poll(nullptr, 0, seconds * 1000);  // the time over which is counted
  rest.wakeups_per_second = (Switches(pid) - before) / seconds;
  const std::string rollup = absl::StrCat("/proc/", pid, "/smaps_rollup");
  rest.rss_mb = FieldOf(rollup, "Rss") / 1024;
  rest.pss_mb = FieldOf(rollup, "Pss") / 1024;
  return rest;
}

void Rest(BenchAgent& agent, bool quick) {
  const int seconds = quick ? 1 : 15;
  int ready[2];
  if (pipe(ready) != 0) return;
  const int bare =
      SpawnRaw({testing::BinaryPath("shoal_bench_bare_server"), absl::StrCat(ready[1])});
  close(ready[1]);
  char byte = 0;
  if (read(ready[0], &byte, 1) != 1) fprintf(stderr, "the bare gRPC server did not start\n");
  close(ready[0]);
  const AtRest raw = Measure(bare, seconds);
  kill(bare, SIGKILL);
  WaitRaw(bare);
  const AtRest shoal = Measure(agent.process().pid(), seconds);
  const auto row = [](const char* what, const char* format, double raw_value, double shoal_value,
                      const char* to_reach) {
    const auto parsed = absl::ParsedFormat<'f'>::New(format);
    PrintRow(what, absl::StrFormat(*parsed, raw_value), absl::StrFormat(*parsed, shoal_value),
             absl::StrFormat("%.2f", shoal_value / raw_value), to_reach);
  };
  row("agent at rest, RSS (raw: a bare gRPC server)", "%.1f MiB", raw.rss_mb, shoal.rss_mb,
      "≤ 24 MB");
  row("agent at rest, PSS", "%.1f MiB", raw.pss_mb, shoal.pss_mb, "");
  row("agent at rest, wake-ups/s", "%.1f", raw.wakeups_per_second, shoal.wakeups_per_second,
      "none of ours beyond");
}

// How much memory this process and all that come from it have, the kernel's own for them included:
// by a memory cgroup of theirs, which knows it to the page. Where none can be made, by
// MemAvailable, which others move, too, and from which what ended is missing for a while.
class MemoryInUse {
 public:
  MemoryInUse() {
    for (const auto& [root, usage] : {std::pair("/sys/fs/cgroup/memory", "memory.usage_in_bytes"),
                                      std::pair("/sys/fs/cgroup", "memory.current")}) {
      const std::string path = absl::StrCat(root, "/shoal-bench-memory-", getpid());
      if (mkdir(path.c_str(), 0755) != 0) continue;
      if (access(absl::StrCat(path, "/", usage).c_str(), R_OK) == 0 && Enter(path)) {
        root_ = root;
        path_ = path;
        usage_ = absl::StrCat(path, "/", usage);
        return;
      }
      rmdir(path.c_str());
    }
  }
  // REQUIRES: all that came from this process has ended.
  ~MemoryInUse() {
    if (path_.empty()) return;
    Enter(root_);
    rmdir(path_.c_str());
  }

  // Once what ended a moment ago is given back.
  double Kib() const {
    poll(nullptr, 0, 500);
    if (usage_.empty()) return -FieldOf("/proc/meminfo", "MemAvailable");
    double bytes = 0;
    std::ifstream(usage_) >> bytes;
    return bytes / 1024;
  }

 private:
  static bool Enter(const std::string& cgroup) {
    return static_cast<bool>(std::ofstream(cgroup + "/cgroup.procs") << getpid() << std::flush);
  }

  std::string root_, path_, usage_;
};

double RawKibPerProcess(const MemoryInUse& memory, const std::vector<std::string>& argv,
                        int count) {
  const double before = memory.Kib();
  std::vector<int> pids;
  pids.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) pids.push_back(SpawnRaw(argv));
  const double after = memory.Kib();
  for (int pid : pids) kill(pid, SIGKILL);
  for (int pid : pids) WaitRaw(pid);
  return (after - before) / count;
}

void LiveProcesses(BenchAgent& agent, const MemoryInUse& memory, bool quick) {
  const int count = quick ? 50 : 1000;
  const int rounds = quick ? 1 : 3;
  const std::vector<std::string> argv = {"/bin/sleep", "1000"};
  std::vector<double> raw, shoal, restart;
  agent.SpawnRanks(argv, count);  // warm: the agent's own tables have grown
  agent.stub().TerminateAll();
  agent.DeleteAll();
  for (int round = 0; round < rounds; ++round) {
    raw.push_back(RawKibPerProcess(memory, argv, count));
    const double before = memory.Kib();
    agent.SpawnRanks(argv, count);
    shoal.push_back((memory.Kib() - before) / count);
    restart.push_back(absl::ToDoubleMilliseconds(TimeOf([&] {
      agent.process().Kill();
      agent.process().Start();
      if (agent.stub().List().size() != static_cast<size_t>(count)) {
        fprintf(stderr, "processes were lost in the restart\n");
      }
    })));
    agent.stub().TerminateAll();
    agent.DeleteAll();
  }
  PrintRow(absl::StrFormat("memory per live process at %d", count),
           absl::StrFormat("%.0f KiB", Median(raw)), absl::StrFormat("%.0f KiB", Median(shoal)),
           absl::StrFormat("+%.0f KiB", Median(shoal) - Median(raw)), "≤ +100 KiB");
  PrintRow(absl::StrFormat("kill -9, restart and list with %d running", count), "",
           absl::StrFormat("%.0f ms", Median(restart)), "", "≤ 2 s with 5,000");
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) {
  const bool quick = shoal::bench::IsQuick(argc, argv);
  const shoal::bench::MemoryInUse memory;  // the agent is in it from its start
  shoal::bench::BenchAgent agent;
  shoal::bench::Rest(agent, quick);
  shoal::bench::LiveProcesses(agent, memory, quick);
}
