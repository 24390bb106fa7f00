// Output of one process to a client that reads it all, in writes of 64 KiB: by `shoal run`, and by
// the same pipeline without gRPC, pipe → file → Unix socket.
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/bench/bench_agent.h"
#include "tests/bench/raw_pipeline.h"
#include "tests/support/system/binaries.h"

namespace shoal::bench {
namespace {

constexpr size_t kWriteBytes = 64 << 10;

std::vector<std::string> Program(int writes) {
  return {"/usr/bin/dd", "if=/dev/zero", absl::StrCat("bs=", kWriteBytes),
          absl::StrCat("count=", writes), "status=none"};
}

size_t ReadRaw(int writes, const std::string& path) {
  const Piped program = StartWriter(Program(writes));
  GrowingFile file(path);
  auto [client, server] = SocketPair();
  std::thread collector([&] { file.FillFrom(program.pipe.get()); });
  std::thread sender([&file, socket = std::move(server)] { file.SendTo(socket.get()); });
  const size_t total = ReadAll(client.get());
  collector.join();
  sender.join();
  WaitRaw(program.pid);
  return total;
}

size_t ReadByShoal(BenchAgent& agent, int writes) {
  std::vector<std::string> words = Program(writes);
  words.insert(words.begin(),
               {testing::ShoalPath(), "-H", agent.process().target(), "run", "-n", "1", "--"});
  const Piped command = StartWriter(words);
  const size_t total = ReadAll(command.pipe.get());
  WaitRaw(command.pid);
  return total;
}

void Measure(BenchAgent& agent, const std::string& path, int writes, int rounds) {
  const Rates rates = MeasureRates(
      kWriteBytes * static_cast<size_t>(writes), rounds, [&] { return ReadRaw(writes, path); },
      [&] { return ReadByShoal(agent, writes); });
  PrintRates("output of one process to a client, writes of 64 KiB (raw: pipe → file → socket)",
             rates, "≥ 0.7 × raw");
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) {
  const bool quick = shoal::bench::IsQuick(argc, argv);
  char name[] = "/tmp/shoal-bench-output-XXXXXX";
  if (mkdtemp(name) == nullptr) return 1;
  {
    shoal::bench::BenchAgent agent;
    shoal::bench::Measure(agent, std::string(name) + "/file", quick ? 64 : 8192, quick ? 1 : 7);
  }
  std::filesystem::remove_all(name);
}
