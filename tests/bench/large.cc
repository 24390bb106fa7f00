// Thousands of live processes on one agent: whether anything grows with how many there are. Alone,
// since 10,000 live take 20,000 PIDs: bounded by a pids cgroup and by the limit on descriptors.
//
//   shoal_bench_large [--quick] [--count N]
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "tests/bench/bench_agent.h"
#include "tests/support/system/pids_cgroup.h"

namespace shoal::bench {
namespace {

const std::vector<std::string> kProgram = {"/bin/sleep", "100000"};
constexpr int kTenths = 10;
constexpr int kOthers = 1000;  // PIDs besides two for each process
constexpr rlim_t kDescriptorsPerProcess = 2;

double Kib(int pid, const std::string& key) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(key + ":", 0) == 0) return strtod(line.c_str() + key.size() + 1, nullptr);
  }
  return 0;
}

// User and system time of the process.
double CpuSeconds(int pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  std::string line;
  std::getline(file, line);
  const std::vector<std::string> fields =
      absl::StrSplit(line.substr(std::min(line.size(), line.rfind(')') + 2)), ' ');
  double ticks = 0;
  for (size_t i = 11; i <= 12 && i < fields.size(); ++i) {
    double value = 0;
    if (absl::SimpleAtod(fields[i], &value)) ticks += value;
  }
  return ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double Seconds(absl::Duration time) { return absl::ToDoubleSeconds(time); }

// The time of a kill of as many processes, and of their reaping.
double SecondsToEndRaw(int count) {
  std::vector<int> pids;
  pids.reserve(static_cast<size_t>(count));
  for (int i = 0; i < count; ++i) pids.push_back(SpawnRaw(kProgram));
  return Seconds(TimeOf([&] {
    for (const int pid : pids) kill(pid, SIGTERM);
    for (const int pid : pids) WaitRaw(pid);
  }));
}

// Another call, again and again, on a connection of its own; how long each took, in ms.
class OtherCalls {
 public:
  explicit OtherCalls(BenchAgent& agent)
      : stub_(agent.process().socket()), thread_([this] { Run(); }) {}
  double Percentile99() {
    stop_ = true;
    thread_.join();
    if (times_.empty()) return 0;
    std::sort(times_.begin(), times_.end());
    return times_[times_.size() - 1 - times_.size() / 100];
  }

 private:
  void Run() {
    do {
      v1::HostServiceGetResponse response;
      testing::CallContext context;
      const absl::Duration time =
          TimeOf([&] { stub_.host().Get(&context, v1::HostServiceGetRequest(), &response).ok(); });
      times_.push_back(absl::ToDoubleMilliseconds(time));
      poll(nullptr, 0, 2);  // not a load of its own
    } while (!stop_);
  }

  testing::AgentStub stub_;
  std::vector<double> times_;  // of the thread until it is joined
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

class Large {
 public:
  explicit Large(int count) : count_(count) {}

  void Run() {
    raw_end_ = SecondsToEndRaw(count_);
    quiet_ = Quiet();
    Start();
    Show();
    Rest();
    Restart(&restart_full_);
    PrintRow(Row("kill -9, restart and list with %d live (raw: half as many)"),
             Text("%.2f s", restart_half_), Text("%.2f s", restart_full_),
             Text("%.2f", restart_full_ / restart_half_), "≤ 2.2 × half; 5,000 ≤ 0.5 s");
    PrintMemory("after a restart", count_);
    Stop();
    Remove();
  }

 private:
  static std::string Text(const char* format, double value) {
    return absl::StrFormat(*absl::ParsedFormat<'f'>::New(format), value);
  }
  std::string Row(const char* format) const {
    return absl::StrFormat(*absl::ParsedFormat<'d'>::New(format), count_);
  }
  int pid() { return agent_.process().pid(); }

  double Quiet() {
    OtherCalls others(agent_);
    poll(nullptr, 0, 500);  // the time over which is measured
    return others.Percentile99();
  }

  // The first half, a restart, and the second half, the first tenths of it beside other calls.
  void Start() {
    before_kib_ = Kib(pid(), "VmRSS");
    const int share = count_ / kTenths;
    std::optional<OtherCalls> others;
    double first = 0;
    double last = 0;
    for (int tenth = 0; tenth < kTenths; ++tenth) {
      if (tenth == kTenths / 2) {
        PrintMemory("fresh", tenth * share);
        Restart(&restart_half_);
        others.emplace(agent_);
      }
      if (tenth == kTenths - 1) {
        PrintOthers("another call while others start, p99 (raw: quiet)", others->Percentile99());
        others.reset();
      }
      const absl::Duration time = TimeOf([&] { agent_.SpawnRanks(kProgram, share); });
      last = Seconds(time) * 1000 / share;
      if (tenth == 0) first = last;
    }
    PrintRow(Row("start of each of the last tenth of %d (raw: of the first)"),
             Text("%.2f ms", first), Text("%.2f ms", last), Text("%.2f", last / first), "≤ 1.2");
  }

  void PrintOthers(const char* what, double other) {
    PrintRow(what, Text("%.1f ms", quiet_), Text("%.1f ms", other), Text("%.1f", other / quiet_),
             "≤ 10");
  }

  void PrintMemory(const char* when, int live) {
    const double now = Kib(pid(), "VmRSS");
    PrintRow(absl::StrCat("memory of the agent for each of ", live, " live, ", when), "",
             Text("%.1f KiB", (now - before_kib_) / live), "", "≤ 3 KiB");
  }

  void Show() {
    const double time = Seconds(TimeOf([&] { RunShoal(agent_, {"ps"}); }));
    PrintRow(Row("shoal ps with %d live"), "", Text("%.2f s", time), "", "≤ 0.3 s with 10,000");
  }

  void Rest() {
    constexpr int kSeconds = 5;
    const double before = CpuSeconds(pid());
    poll(nullptr, 0, kSeconds * 1000);  // the time over which is measured
    PrintRow(Row("the agent's processor time at rest with %d live"), "",
             Text("%.1f ms/s", (CpuSeconds(pid()) - before) * 1000 / kSeconds), "", "");
  }

  void Restart(double* seconds) {
    const size_t before = agent_.stub().List().size();
    *seconds = Seconds(TimeOf([&] {
      agent_.process().Kill();
      agent_.process().Start();
    }));
    const size_t after = agent_.stub().List().size();
    if (after != before) fprintf(stderr, "%zu of %zu processes after a restart\n", after, before);
  }

  void Stop() {
    OtherCalls others(agent_);
    const double time = Seconds(TimeOf([&] { RunShoal(agent_, {"stop", "*"}); }));
    PrintOthers("another call while all are stopped, p99 (raw: quiet)", others.Percentile99());
    PrintRow(Row("shoal stop of %d (raw: kill and reap)"), Text("%.2f s", raw_end_),
             Text("%.2f s", time), Text("%.2f", time / raw_end_), "≤ 2");
  }

  void Remove() {
    const double time = Seconds(TimeOf([&] { RunShoal(agent_, {"rm", "*"}); }));
    PrintRow(Row("shoal rm of %d"), "", Text("%.2f s", time), "", "");
    poll(nullptr, 0, 2000);  // what is given back at rest
    PrintRow("memory of the agent afterwards (raw: before)", Text("%.1f MiB", before_kib_ / 1024),
             Text("%.1f MiB", Kib(pid(), "VmRSS") / 1024), "", "");
  }

  const int count_;
  BenchAgent agent_;
  double raw_end_ = 0, quiet_ = 0, restart_half_ = 0, restart_full_ = 0, before_kib_ = 0;
};

int CountOf(int argc, char** argv) {
  int count = IsQuick(argc, argv) ? 200 : 10'000;
  for (int i = 1; i + 1 < argc; ++i) {
    if (strcmp(argv[i], "--count") == 0 && !absl::SimpleAtoi(argv[i + 1], &count)) count = 0;
  }
  return count;
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) {
  const int count = shoal::bench::CountOf(argc, argv);
  if (count < 20) {
    fprintf(stderr, "shoal_bench_large: --count is at least 20\n");
    return 2;
  }
  // Left before its end, so that it can be removed.
  shoal::testing::PidsCgroup pids(getpid());
  pids.Write("pids.max", 2 * count + shoal::bench::kOthers);
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  descriptors.rlim_max = std::min(
      descriptors.rlim_max,
      std::max<rlim_t>(4096, shoal::bench::kDescriptorsPerProcess * static_cast<rlim_t>(count)));
  descriptors.rlim_cur = std::min(descriptors.rlim_cur, descriptors.rlim_max);
  setrlimit(RLIMIT_NOFILE, &descriptors);
  { shoal::bench::Large(count).Run(); }
  std::ofstream("/sys/fs/cgroup/pids/cgroup.procs") << getpid();
}
