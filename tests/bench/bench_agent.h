// One agent for a benchmark, in directories and a cgroup of its own, and the rows that it prints.
//
// Ownership:     owns the agent; at its end the agent's processes, the agent and its directories are
//                gone, and once no other BenchAgent lives, its cgroup.
// Thread-safety: main thread only; the stub is thread-safe.
#ifndef SHOAL_TESTS_BENCH_BENCH_AGENT_H_
#define SHOAL_TESTS_BENCH_BENCH_AGENT_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/support/system/agent_process.h"
#include "tests/support/system/agent_stub.h"
#include "tests/support/system/leftovers.h"

namespace shoal::bench {

class BenchAgent {
 public:
  explicit BenchAgent(std::vector<std::string> flags = {});
  ~BenchAgent();

  testing::AgentProcess& process() { return *process_; }
  testing::AgentStub& stub() { return process_->stub(); }

  // Forgets every ended process and its output.
  void DeleteAll();
  // One call that starts `count` ranks of `argv`, each once its program runs.
  void SpawnRanks(const std::vector<std::string>& argv, int count);

 private:
  std::string directory_;
  std::string cgroup_;
  std::unique_ptr<testing::Leftovers> leftovers_;
  std::unique_ptr<testing::AgentProcess> process_;
};

// Runs `shoal` against the agent with its output to /dev/null; false if it failed.
bool RunShoal(BenchAgent& agent, std::vector<std::string> arguments);
// The same against these hosts, as -H takes them.
bool RunShoal(const std::string& hosts, std::vector<std::string> arguments);

// One process by posix_spawn(3), with `out` and `in` as its stdout and stdin if they are not -1; its
// PID. Ends the program if it cannot be.
int SpawnRaw(const std::vector<std::string>& argv, int out = -1, int in = -1);
void WaitRaw(int pid);

// How long `work` takes.
template <typename Work>
absl::Duration TimeOf(Work work);

double Median(std::vector<double> values);

// A line of the table: tab-separated, read by tests/bench/run.
void PrintRow(absl::string_view what, absl::string_view raw, absl::string_view shoal,
              absl::string_view ratio, absl::string_view to_reach);

// True if `--quick` was given: each measurement once, to see that it works.
bool IsQuick(int argc, char** argv);

absl::Duration MonotonicNow();

template <typename Work>
absl::Duration TimeOf(Work work) {
  const absl::Duration begin = MonotonicNow();
  work();
  return MonotonicNow() - begin;
}

}  // namespace shoal::bench

#endif  // SHOAL_TESTS_BENCH_BENCH_AGENT_H_
