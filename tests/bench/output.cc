// Output of one process to a client that reads it all, in writes of 64 KiB: by `shoal run`, and by
// the same pipeline without gRPC, pipe → file → Unix socket.
#include <stdlib.h>

#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
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
  const size_t size = kWriteBytes * static_cast<size_t>(writes);
  std::vector<double> raw, shoal, ratio;
  const auto rate = [size](absl::Duration span) {
    return static_cast<double>(size) / 1e6 / absl::ToDoubleSeconds(span);
  };
  for (int i = 0; i < rounds; ++i) {
    size_t got = 0;
    raw.push_back(rate(TimeOf([&] { got = ReadRaw(writes, path); })));
    Require(got == size, "the raw pipeline lost something");
    shoal.push_back(rate(TimeOf([&] { got = ReadByShoal(agent, writes); })));
    Require(got == size, "shoal run lost something");
    ratio.push_back(shoal.back() / raw.back());
  }
  PrintRow("output of one process to a client, writes of 64 KiB (raw: pipe → file → socket)",
           absl::StrFormat("%.0f MB/s", Median(raw)), absl::StrFormat("%.0f MB/s", Median(shoal)),
           absl::StrFormat("%.2f", Median(ratio)), "≥ 0.7 × raw");
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
