// How much memory a large argument and a large result of a function take, at their peak: in the program that starts
// it, in the process that runs it, and in the agent. The figure of a program has its own copy in it, the ratio is in
// copies.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "shoal/host.h"
#include "shoal/init.h"
#include "shoal/process.h"
#include "shoal/registry.h"
#include "tests/bench/bench_agent.h"

namespace shoal::bench {
namespace {

// Where the process of a function says what it took, at its very end.
std::string peak_file;

double StatusKib(int pid, const char* key) {
  std::ifstream file(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(absl::StrCat(key, ":"), 0) == 0) return strtod(line.c_str() + 6, nullptr);
  }
  return 0;
}

// From here on VmHWM is the peak since now.
void ResetPeak(int pid) { std::ofstream(absl::StrCat("/proc/", pid, "/clear_refs")) << "5"; }

void TellPeak() { std::ofstream(peak_file) << StatusKib(getpid(), "VmHWM"); }

// The file, and behind it what makes the argument long.
absl::StatusOr<std::string> Take(const std::string& argument) {
  peak_file = argument.substr(0, argument.find('\n'));
  std::atexit(TellPeak);
  return absl::StrCat(argument.size());
}
SHOAL_REGISTER_FUNCTION(Take);

// The file, and how long the result is to be.
absl::StatusOr<std::string> Give(const std::string& argument) {
  const size_t end = argument.find('\n');
  peak_file = argument.substr(0, end);
  std::atexit(TellPeak);
  size_t size = 0;
  if (!absl::SimpleAtoi(argument.substr(end + 1), &size)) abort();
  return std::string(size, 'x');
}
SHOAL_REGISTER_FUNCTION(Give);

// Nothing.
absl::Status Nothing() {
  std::atexit(TellPeak);
  peak_file = getenv("PEAK_FILE");
  return absl::OkStatus();
}
SHOAL_REGISTER_FUNCTION(Nothing);

void Check(const absl::Status& status) {
  if (status.ok()) return;
  fprintf(stderr, "%s\n", status.ToString().c_str());
  exit(1);
}

struct Peaks {
  double program_kib = 0;
  double child_kib = 0;
  double agent_kib = 0;
};

class Measure {
 public:
  Measure(BenchAgent* agent, std::string directory)
      : agent_(agent), peak_file_(directory + "/peak") {
    HostAddress address;
    address.name = "ant";
    address.unix_path = agent->process().socket();
    absl::StatusOr<std::shared_ptr<Host>> host = Host::Create(address);
    Check(host.status());
    host_ = *std::move(host);
  }

  const std::string& peak_file() const { return peak_file_; }

  // `make` gives the process, which `use` gets when it has ended. What both take is in the peaks.
  template <typename Make, typename Use>
  Peaks Of(Make make, Use use) {
    ProcessOptions options;
    options.host = host_;
    options.env = {absl::StrCat("PEAK_FILE=", peak_file_)};
    const int agent = agent_->process().pid();
    ResetPeak(getpid());
    ResetPeak(agent);
    const double own = StatusKib(getpid(), "VmRSS"), agents = StatusKib(agent, "VmRSS");
    {
      std::unique_ptr<Process> process = make(std::move(options));
      Check(process->Start());
      Check(process->Join().status());
      use(*process);
    }
    Peaks peaks;
    peaks.program_kib = StatusKib(getpid(), "VmHWM") - own;
    peaks.agent_kib = StatusKib(agent, "VmHWM") - agents;
    std::ifstream(peak_file_) >> peaks.child_kib;
    agent_->DeleteAll();
    return peaks;
  }

 private:
  BenchAgent* const agent_;
  const std::string peak_file_;
  std::shared_ptr<Host> host_;
};

void Print(const char* what, size_t size, const Peaks& peaks, const Peaks& without) {
  const double kib = static_cast<double>(size) / 1024;
  const auto row = [&](const char* who, double value, const char* to_reach) {
    PrintRow(absl::StrFormat("%s of %d MB, peak of the %s", what, size / 1'000'000, who),
             absl::StrFormat("%.0f MiB", kib / 1024), absl::StrFormat("%.0f MiB", value / 1024),
             absl::StrFormat("%.2f", value / kib), to_reach);
  };
  row("program", peaks.program_kib - without.program_kib, "≤ 2 copies");
  row("process", peaks.child_kib - without.child_kib, "");
  row("agent", peaks.agent_kib - without.agent_kib, "none");
}

void MeasureAll(BenchAgent& agent, const std::string& directory, size_t size) {
  Measure measure(&agent, directory);
  const auto nothing = [&] {
    return measure.Of(
        [](ProcessOptions options) {
          return std::make_unique<Process>(Nothing, std::move(options));
        },
        [](Process&) {});
  };
  nothing();  // the session is open, threads have begun
  const Peaks without = nothing();
  const Peaks argument = measure.Of(
      [&](ProcessOptions options) {
        std::string bytes(size, 'x');
        const std::string head = measure.peak_file() + "\n";
        std::copy(head.begin(), head.end(), bytes.begin());
        return std::make_unique<Process>(Take, bytes, std::move(options));
      },
      [&](Process& process) {
        if (process.Result().value() != absl::StrCat(size)) abort();
      });
  Print("argument", size, argument, without);
  const Peaks result = measure.Of(
      [&](ProcessOptions options) {
        return std::make_unique<Process>(Give, absl::StrCat(measure.peak_file(), "\n", size),
                                         std::move(options));
      },
      [&](Process& process) {
        const absl::StatusOr<std::string> bytes = process.Result();
        Check(bytes.status());
        if (bytes->size() != size) abort();
      });
  Print("result", size, result, without);
}

}  // namespace
}  // namespace shoal::bench

int main(int argc, char** argv) {
  shoal::Init(&argc, &argv);
  const bool quick = shoal::bench::IsQuick(argc, argv);
  char name[] = "/tmp/shoal-bench-values-XXXXXX";
  if (mkdtemp(name) == nullptr) return 1;
  {
    shoal::bench::BenchAgent agent;
    shoal::bench::MeasureAll(agent, name, quick ? 3'000'000 : 300'000'000);
    shoal::bench::Check(shoal::EndProgram());
  }
  std::filesystem::remove_all(name);
}
