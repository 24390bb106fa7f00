// Spawn → exit of a program that does nothing, raw and through an agent: one after another, and
// many at once; by idle shims, and by a shim that is executed for each. Raw and Shoal take turns,
// batch by batch; a ratio is the median of the batches' ratios.
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/ids.h"
#include "tests/bench/bench_agent.h"

namespace shoal::bench {
namespace {

const std::vector<std::string> kProgram = {"/bin/true"};
constexpr int kInFlight = 8;

v1::Process SpawnAndWait(testing::AgentStub& stub) {
  v1::SpawnRequest spawn;
  spawn.set_request_id(NewRequestId());
  *spawn.mutable_spec() = testing::SpecOf(kProgram);
  v1::SpawnResponse spawned;
  stub.TrySpawn(spawn, &spawned).ok();
  return stub.Wait(spawned.process().id(), v1::WaitRequest::UNTIL_EXITED);
}

// One call, answered at the exit.
void SpawnUntilExit(testing::AgentStub& stub) {
  v1::SpawnRequest spawn;
  spawn.set_request_id(NewRequestId());
  *spawn.mutable_spec() = testing::SpecOf(kProgram);
  spawn.set_until(v1::WaitRequest::UNTIL_EXITED);
  v1::SpawnResponse response;
  stub.TrySpawn(spawn, &response).ok();
}

// With a stream of events that is there already: the exit comes by itself.
class ExitWatch {
 public:
  explicit ExitWatch(testing::AgentStub& stub) {
    reader_ = stub.processes().Watch(&context_, v1::WatchRequest());
    v1::WatchResponse event;
    while (reader_->Read(&event) && !event.has_synced()) {
    }
  }
  ~ExitWatch() {
    context_.TryCancel();
    v1::WatchResponse event;
    while (reader_->Read(&event)) {
    }
    reader_->Finish().ok();
  }
  void WaitFor(const std::string& id) {
    v1::WatchResponse event;
    while (reader_->Read(&event)) {
      if (event.has_upsert() && event.upsert().id() == id && event.upsert().has_exit()) return;
    }
  }

 private:
  testing::CallContext context_;
  std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> reader_;
};

void Sequential(BenchAgent& agent, BenchAgent& cold, bool quick) {
  const int batches = quick ? 2 : 20;
  const int size = quick ? 10 : 50;
  std::vector<double> raw_ms, one_ms, cold_ms, wait_ms, watch_ms;
  std::vector<double> one_ratio, cold_ratio, wait_ratio, watch_ratio;
  const auto per_process = [size](absl::Duration span) {
    return absl::ToDoubleMilliseconds(span) / size;
  };
  for (int i = 0; i < size; ++i) SpawnAndWait(agent.stub());  // warm
  for (int batch = 0; batch < batches; ++batch) {
    raw_ms.push_back(per_process(TimeOf([&] {
      for (int i = 0; i < size; ++i) WaitRaw(SpawnRaw(kProgram));
    })));
    one_ms.push_back(per_process(TimeOf([&] {
      for (int i = 0; i < size; ++i) SpawnUntilExit(agent.stub());
    })));
    cold_ms.push_back(per_process(TimeOf([&] {
      for (int i = 0; i < size; ++i) SpawnUntilExit(cold.stub());
    })));
    wait_ms.push_back(per_process(TimeOf([&] {
      for (int i = 0; i < size; ++i) SpawnAndWait(agent.stub());
    })));
    ExitWatch watch(agent.stub());
    watch_ms.push_back(per_process(TimeOf([&] {
      for (int i = 0; i < size; ++i)
        watch.WaitFor(agent.stub().Spawn(testing::SpecOf(kProgram)).id());
    })));
    one_ratio.push_back(one_ms.back() / raw_ms.back());
    cold_ratio.push_back(cold_ms.back() / raw_ms.back());
    wait_ratio.push_back(wait_ms.back() / raw_ms.back());
    watch_ratio.push_back(watch_ms.back() / raw_ms.back());
    agent.DeleteAll();
    cold.DeleteAll();
  }
  const std::string raw = absl::StrFormat("%.2f ms", Median(raw_ms));
  PrintRow("spawn → exit, one after another (Spawn until EXITED)", raw,
           absl::StrFormat("%.2f ms", Median(one_ms)), absl::StrFormat("%.2f", Median(one_ratio)),
           "≤ 2.0 × raw");
  PrintRow("the same by a shim that is executed for each", raw,
           absl::StrFormat("%.2f ms", Median(cold_ms)), absl::StrFormat("%.2f", Median(cold_ratio)),
           "");
  PrintRow("spawn → exit, one after another (Spawn, Wait)", raw,
           absl::StrFormat("%.2f ms", Median(wait_ms)), absl::StrFormat("%.2f", Median(wait_ratio)),
           "≤ 2.0 × raw");
  PrintRow("spawn → exit, one after another (Spawn, open Watch)", raw,
           absl::StrFormat("%.2f ms", Median(watch_ms)),
           absl::StrFormat("%.2f", Median(watch_ratio)), "≤ 2.0 × raw");
}

// What one call costs that does next to nothing: nothing is listed.
void OneCall(BenchAgent& agent, bool quick) {
  const int count = quick ? 10 : 500;
  const absl::Duration span = TimeOf([&] {
    for (int i = 0; i < count; ++i) agent.stub().List();
  });
  PrintRow("one unary call over the Unix socket (List)", "",
           absl::StrFormat("%.2f ms", absl::ToDoubleMilliseconds(span) / count), "", "");
}

void RawInFlight(int count) {
  int running = 0;
  for (int started = 0; started < count;) {
    if (running == kInFlight) {
      wait(nullptr);
      --running;
    }
    SpawnRaw(kProgram);
    ++running;
    ++started;
  }
  for (; running > 0; --running) wait(nullptr);
}

void SinglesInFlight(testing::AgentStub& stub, int count) {
  std::atomic<int> left = count;
  std::vector<std::thread> clients;
  clients.reserve(kInFlight);
  for (int i = 0; i < kInFlight; ++i) {
    clients.emplace_back([&] {
      while (left.fetch_sub(1) > 0) SpawnUntilExit(stub);
    });
  }
  for (std::thread& client : clients) client.join();
}

// CPU time that process `pid` itself has used, in milliseconds.
double CpuMs(int pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/stat"));
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  std::vector<std::string> fields = absl::StrSplit(text.substr(text.rfind(')') + 2), ' ');
  const double ticks = atof(fields[11].c_str()) + atof(fields[12].c_str());  // utime, stime
  return 1000 * ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

void Many(BenchAgent& agent, BenchAgent& cold, bool quick) {
  const int count = quick ? 100 : 2000;
  const int rounds = quick ? 1 : 3;
  std::vector<double> raw, batch, singles, cold_singles, cpu;
  std::vector<double> batch_ratio, singles_ratio, cold_ratio;
  const auto per_second = [count](absl::Duration span) {
    return count / absl::ToDoubleSeconds(span);
  };
  for (int round = 0; round < rounds; ++round) {
    // The agent's own children must not be taken by wait(2): it is our child, and stays.
    raw.push_back(per_second(TimeOf([&] { RawInFlight(count); })));
    const double cpu_before = CpuMs(agent.process().pid());
    batch.push_back(per_second(TimeOf([&] {
      agent.SpawnRanks(kProgram, count);
      agent.stub().WaitAll(v1::WaitRequest::UNTIL_EXITED);
    })));
    cpu.push_back((CpuMs(agent.process().pid()) - cpu_before) / count);
    agent.DeleteAll();
    singles.push_back(per_second(TimeOf([&] { SinglesInFlight(agent.stub(), count); })));
    agent.DeleteAll();
    cold_singles.push_back(per_second(TimeOf([&] { SinglesInFlight(cold.stub(), count); })));
    cold.DeleteAll();
    cold_ratio.push_back(cold_singles.back() / raw.back());
    batch_ratio.push_back(batch.back() / raw.back());
    singles_ratio.push_back(singles.back() / raw.back());
  }
  const std::string raw_text = absl::StrFormat("%.0f/s", Median(raw));
  const std::string what = absl::StrFormat("%d short processes through one agent", count);
  PrintRow(what + " (SpawnBatch)", raw_text, absl::StrFormat("%.0f/s", Median(batch)),
           absl::StrFormat("%.2f", Median(batch_ratio)), "≥ 0.7 × raw");
  PrintRow(what + " (Spawn until EXITED, 8 in flight)", raw_text,
           absl::StrFormat("%.0f/s", Median(singles)),
           absl::StrFormat("%.2f", Median(singles_ratio)), "≥ 0.7 × raw");
  PrintRow("the same by a shim that is executed for each", raw_text,
           absl::StrFormat("%.0f/s", Median(cold_singles)),
           absl::StrFormat("%.2f", Median(cold_ratio)), "");
  PrintRow("CPU time of the agent itself for one of them (SpawnBatch)", "",
           absl::StrFormat("%.2f ms", Median(cpu)), "", "");
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) {
  const bool quick = shoal::bench::IsQuick(argc, argv);
  shoal::bench::BenchAgent agent;
  shoal::bench::BenchAgent cold({"--idle-shims=0"});
  shoal::bench::Sequential(agent, cold, quick);
  shoal::bench::OneCall(agent, quick);
  shoal::bench::Many(agent, cold, quick);
}
