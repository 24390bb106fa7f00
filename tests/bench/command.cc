// The whole command: from posix_spawn of `shoal run` to its end, with an agent that is there.
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/bench/bench_agent.h"
#include "tests/support/system/binaries.h"

namespace shoal::bench {
namespace {

// `shoal` with its output to /dev/null; false if it failed.
bool RunShoal(BenchAgent& agent, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {testing::ShoalPath(), "-H", agent.process().target()});
  std::vector<char*> pointers;
  pointers.reserve(arguments.size() + 1);
  for (std::string& word : arguments) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, pointers[0], &actions, nullptr, pointers.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  return error == 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

void Command(BenchAgent& agent, int ranks, int rounds, const char* to_reach) {
  const std::vector<std::string> words = {"run", "-n", absl::StrCat(ranks), "--", "/bin/true"};
  if (!RunShoal(agent, words)) fprintf(stderr, "shoal run -n %d did not end with 0\n", ranks);
  std::vector<double> raw, shoal;
  for (int i = 0; i < rounds; ++i) {
    raw.push_back(absl::ToDoubleMilliseconds(TimeOf([&] {
      std::vector<int> pids;
      pids.reserve(static_cast<size_t>(ranks));
      for (int rank = 0; rank < ranks; ++rank) pids.push_back(SpawnRaw({"/bin/true"}));
      for (int pid : pids) WaitRaw(pid);
    })));
    shoal.push_back(absl::ToDoubleMilliseconds(TimeOf([&] { RunShoal(agent, words); })));
  }
  PrintRow(absl::StrFormat("shoal run -n %d true, the whole command", ranks),
           absl::StrFormat("%.1f ms", Median(raw)), absl::StrFormat("%.1f ms", Median(shoal)),
           absl::StrFormat("%.1f", Median(shoal) / Median(raw)), to_reach);
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) {
  const bool quick = shoal::bench::IsQuick(argc, argv);
  shoal::bench::BenchAgent agent;
  shoal::bench::Command(agent, 1, quick ? 3 : 50, "≤ 15 ms");
  shoal::bench::Command(agent, 100, quick ? 2 : 15, "≤ 150 ms");
}
