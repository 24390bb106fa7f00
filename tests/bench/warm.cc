// Warm starts: a process forked from a template against one started by execve, raw and through an
// agent, and against Python's start methods; by size of the template; and what a data set costs
// that is loaded once and forked a hundred times.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/ids.h"
#include "tests/bench/bench_agent.h"
#include "tests/support/system/binaries.h"

namespace shoal::bench {
namespace {

// Copies of one program, "program-N" for a template of N MiB.
class Programs {
 public:
  Programs() {
    char name[] = "/tmp/shoal-bench-warm-XXXXXX";
    if (!mkdtemp(name)) abort();
    directory_ = name;
  }
  ~Programs() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  std::string Of(int mebibytes) {
    const std::filesystem::path path = directory_ / absl::StrCat("program-", mebibytes);
    std::error_code exists;
    std::filesystem::copy_file(testing::BinaryPath("shoal_bench_warm_program"), path, exists);
    return path;
  }

 private:
  std::filesystem::path directory_;
};

v1::ProcessSpec SpecOf(const std::vector<std::string>& argv, v1::StartMethod method) {
  v1::ProcessSpec spec = testing::SpecOf(argv);
  spec.set_start_method(method);
  return spec;
}

v1::Process Run(BenchAgent& agent, const v1::ProcessSpec& spec, v1::WaitRequest::Until until) {
  v1::SpawnRequest request;
  request.set_request_id(NewRequestId());
  *request.mutable_spec() = spec;
  request.set_until(until);
  v1::SpawnResponse response;
  const grpc::Status status = agent.stub().TrySpawn(request, &response);
  if (!status.ok()) {
    fprintf(stderr, "%s: %s\n", spec.argv(0).c_str(), testing::Describe(status).c_str());
    exit(1);
  }
  return response.process();
}

void RunMany(BenchAgent& agent, const v1::ProcessSpec& spec, int count) {
  for (int i = 0; i < count; ++i) Run(agent, spec, v1::WaitRequest::UNTIL_EXITED);
}

std::map<std::string, double> PythonMs(int count) {
  std::map<std::string, double> ms;
  const std::string command = absl::StrCat("python3 '", SHOAL_BENCH_PYTHON, "' ", count);
  FILE* out = popen(command.c_str(), "re");
  char method[32];
  double value = 0;
  while (out != nullptr && fscanf(out, "%31s %lf", method, &value) == 2) ms[method] = value;
  if (out != nullptr) pclose(out);
  return ms;
}

std::string Ms(double ms) { return absl::StrFormat("%.2f ms", ms); }
std::string Ratio(double ratio) { return absl::StrFormat("%.2f", ratio); }

struct Measured {
  double true_ms = 0;  // /bin/true by posix_spawn: the least that a program can cost
  double same_ms = 0;  // the same program by posix_spawn
  double cold_ms = 0;  // through the agent by execve
  double warm_ms = 0;  // through the agent from the template
};

// Raw and Shoal take turns, batch by batch.
Measured MeasureStarts(BenchAgent& agent, const std::string& program, int batches, int size) {
  const v1::ProcessSpec warm = SpecOf({program}, v1::START_METHOD_FORKSERVER);
  const v1::ProcessSpec cold = SpecOf({program}, v1::START_METHOD_SPAWN);
  std::vector<double> true_ms, same_ms, cold_ms, warm_ms;
  const auto each = [size](auto work) {
    return absl::ToDoubleMilliseconds(TimeOf([&] {
             for (int i = 0; i < size; ++i) work();
           })) /
           size;
  };
  RunMany(agent, warm, size);  // the template is warm from now on
  for (int batch = 0; batch < batches; ++batch) {
    true_ms.push_back(each([] { WaitRaw(SpawnRaw({"/bin/true"})); }));
    same_ms.push_back(each([&] { WaitRaw(SpawnRaw({program})); }));
    cold_ms.push_back(each([&] { RunMany(agent, cold, 1); }));
    warm_ms.push_back(each([&] { RunMany(agent, warm, 1); }));
    agent.DeleteAll();
  }
  return {Median(true_ms), Median(same_ms), Median(cold_ms), Median(warm_ms)};
}

void Starts(BenchAgent& agent, Programs& programs, bool quick) {
  const Measured measured = MeasureStarts(agent, programs.Of(16), quick ? 1 : 15, quick ? 5 : 50);
  PrintRow("warm start → exit, template of 16 MiB (raw: execve of /bin/true)", Ms(measured.true_ms),
           Ms(measured.warm_ms), Ratio(measured.warm_ms / measured.true_ms), "< 1.0 × raw");
  PrintRow("warm start → exit, template of 16 MiB (raw: execve of the same program)",
           Ms(measured.same_ms), Ms(measured.warm_ms), Ratio(measured.warm_ms / measured.same_ms),
           "< 1.0 × raw");
  PrintRow("cold start → exit of the same program", Ms(measured.same_ms), Ms(measured.cold_ms),
           Ratio(measured.cold_ms / measured.same_ms), "");
  for (const auto& [method, ms] : PythonMs(quick ? 3 : 100)) {
    PrintRow(absl::StrCat("Python's ", method, " against the warm start"), Ms(ms),
             Ms(measured.warm_ms), absl::StrFormat("%.1f × faster", ms / measured.warm_ms),
             method == "forkserver" ? "≥ 15 × faster" : "");
  }
}

void Curve(BenchAgent& agent, Programs& programs, bool quick) {
  for (const int mebibytes : {4, 64, 256, 1024}) {
    if (quick && mebibytes > 64) continue;
    const Measured measured =
        MeasureStarts(agent, programs.Of(mebibytes), quick ? 1 : 5, quick ? 5 : 50);
    PrintRow(absl::StrCat("warm start → exit, template of ", mebibytes, " MiB"),
             Ms(measured.true_ms), Ms(measured.warm_ms), Ratio(measured.warm_ms / measured.true_ms),
             "");
  }
}

double PssMebibytes(int pid) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/smaps_rollup"));
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("Pss:", 0) == 0) return strtod(line.c_str() + 4, nullptr) / 1024;
  }
  return 0;
}

// The template and every process forked from it, by proportional set size.
void SharedMemory(BenchAgent& agent, Programs& programs, bool quick) {
  const int mebibytes = quick ? 16 : 1024;
  const int count = quick ? 5 : 100;
  const v1::ProcessSpec spec =
      SpecOf({programs.Of(mebibytes), "pause"}, v1::START_METHOD_FORKSERVER);
  std::string parent;
  for (int i = 0; i < count; ++i) {
    parent = Run(agent, spec, v1::WaitRequest::UNTIL_UNSPECIFIED).forked_from();
  }
  const double alone = mebibytes;
  double together = 0;
  for (const v1::Process& process : agent.stub().List()) {
    const bool counts = process.id() == parent || process.forked_from() == parent;
    if (counts && !process.has_exit()) together += PssMebibytes(process.pid());
  }
  agent.stub().TerminateAll();
  PrintRow(absl::StrFormat("a data set of %d MiB, forked %d times, PSS together", mebibytes, count),
           absl::StrFormat("%.0f MiB", alone), absl::StrFormat("%.0f MiB", together),
           Ratio(together / alone), "little more than one copy");
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) {
  const bool quick = shoal::bench::IsQuick(argc, argv);
  shoal::bench::BenchAgent agent;
  shoal::bench::Programs programs;
  shoal::bench::Starts(agent, programs, quick);
  shoal::bench::Curve(agent, programs, quick);
  shoal::bench::SharedMemory(agent, programs, quick);
}
