// Input of one process from a program that writes all the time: by `shoal run`, and by the same pipeline
// without gRPC, socket → file → pipe.
#include <stdlib.h>
#include <unistd.h>

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

std::vector<std::string> Source(int writes) {
  return {"/usr/bin/dd", "if=/dev/zero", absl::StrCat("bs=", kWriteBytes),
          absl::StrCat("count=", writes), "status=none"};
}

// Says how many bytes it read.
std::vector<std::string> Sink() { return {"/bin/sh", "-c", "cat | wc -c"}; }

// Its stdin is `in`; what it prints as a number.
size_t RunSink(const std::vector<std::string>& words, int in) {
  auto [read_end, write_end] = SocketPair();
  const int pid = SpawnRaw(words, write_end.get(), in);
  write_end.Reset();
  std::string said(64, '\0');
  const ssize_t got = read(read_end.get(), said.data(), said.size());
  WaitRaw(pid);
  return got > 0 ? strtoull(said.c_str(), nullptr, 10) : 0;
}

size_t FeedRaw(int writes, const std::string& path) {
  const Piped source = StartWriter(Source(writes));
  GrowingFile file(path);
  auto [client, server] = SocketPair();
  // A file takes without a copy what comes from a pipe.
  auto [to_file, from_server] = Pipe();
  auto [read_end, write_end] = Pipe();
  std::thread writer(
      [&source, socket = std::move(client)] { CopyAll(source.pipe.get(), socket.get()); });
  std::thread receiver([socket = std::move(server), pipe = std::move(from_server)] {
    SpliceAll(socket.get(), pipe.get());
  });
  std::thread keeper([&file, &to_file = to_file] { file.FillFrom(to_file.get()); });
  std::thread feeder([&file, pipe = std::move(write_end)] { file.SendTo(pipe.get()); });
  const size_t total = RunSink(Sink(), read_end.get());
  writer.join();
  receiver.join();
  keeper.join();
  feeder.join();
  WaitRaw(source.pid);
  return total;
}

size_t FeedByShoal(BenchAgent& agent, int writes) {
  const Piped source = StartWriter(Source(writes));
  std::vector<std::string> words = Sink();
  words.insert(words.begin(),
               {testing::ShoalPath(), "-H", agent.process().target(), "run", "-n", "1", "--"});
  const size_t total = RunSink(words, source.pipe.get());
  WaitRaw(source.pid);
  return total;
}

void Measure(BenchAgent& agent, const std::string& path, int writes, int rounds) {
  const Rates rates = MeasureRates(
      kWriteBytes * static_cast<size_t>(writes), rounds, [&] { return FeedRaw(writes, path); },
      [&] { return FeedByShoal(agent, writes); });
  PrintRates("input of 1 GiB to one process (raw: socket → file → pipe)", rates, "≥ 0.6 × raw");
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) {
  const bool quick = shoal::bench::IsQuick(argc, argv);
  char name[] = "/tmp/shoal-bench-input-XXXXXX";
  if (mkdtemp(name) == nullptr) return 1;
  {
    shoal::bench::BenchAgent agent;
    shoal::bench::Measure(agent, std::string(name) + "/file", quick ? 64 : 16384, quick ? 1 : 5);
  }
  std::filesystem::remove_all(name);
}
