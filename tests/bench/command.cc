// The whole command: from posix_spawn of `shoal run` to its end, with an agent that is there.
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/bench/bench_agent.h"

namespace shoal::bench {
namespace {

void Command(BenchAgent& agent, BenchAgent& cold, int ranks, int rounds, const char* to_reach) {
  const std::vector<std::string> words = {"run", "-n", absl::StrCat(ranks), "--", "/bin/true"};
  if (!RunShoal(agent, words)) fprintf(stderr, "shoal run -n %d did not end with 0\n", ranks);
  std::vector<double> raw, shoal, executed;
  for (int i = 0; i < rounds; ++i) {
    raw.push_back(absl::ToDoubleMilliseconds(TimeOf([&] {
      std::vector<int> pids;
      pids.reserve(static_cast<size_t>(ranks));
      for (int rank = 0; rank < ranks; ++rank) pids.push_back(SpawnRaw({"/bin/true"}));
      for (int pid : pids) WaitRaw(pid);
    })));
    shoal.push_back(absl::ToDoubleMilliseconds(TimeOf([&] { RunShoal(agent, words); })));
    executed.push_back(absl::ToDoubleMilliseconds(TimeOf([&] { RunShoal(cold, words); })));
  }
  PrintRow(absl::StrFormat("shoal run -n %d true, the whole command", ranks),
           absl::StrFormat("%.1f ms", Median(raw)), absl::StrFormat("%.1f ms", Median(shoal)),
           absl::StrFormat("%.1f", Median(shoal) / Median(raw)), to_reach);
  PrintRow("the same by a shim that is executed for each", absl::StrFormat("%.1f ms", Median(raw)),
           absl::StrFormat("%.1f ms", Median(executed)),
           absl::StrFormat("%.1f", Median(executed) / Median(raw)), "");
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) {
  const bool quick = shoal::bench::IsQuick(argc, argv);
  shoal::bench::BenchAgent agent;
  shoal::bench::BenchAgent cold({"--idle-shims=0"});
  shoal::bench::Command(agent, cold, 1, quick ? 3 : 50, "≤ 15 ms");
  shoal::bench::Command(agent, cold, 100, quick ? 2 : 15, "≤ 150 ms");
}
