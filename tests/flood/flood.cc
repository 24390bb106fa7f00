// Floods of one identity, and what they cost another: p99 of Spawn of /bin/true until it has started,
// p99 of Get, and the memory of the agent.
//
//   flood [--quick] [--only KIND]   prints a table: for each flood the medians of five runs beside the
//                                   same beside a busy loop per core
//   flood --drive KIND DIRECTORY    one driver with the certificates there, until it is killed
//
// The flood comes as an identity of its own, over TLS; the other identity is the user of the Unix socket. Drivers, busy
// loops and what is started for them (shoal_flood_process) are pinned to the last core, so that what is measured is the
// agent's own fairness and not that of the kernel.
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "common/boot_time.h"
#include "common/ids.h"
#include "shoal/v1/process_service.grpc.pb.h"
#include "shoal/v1/session_service.grpc.pb.h"
#include "tests/support/system/agent_process.h"
#include "tests/support/system/agent_stub.h"
#include "tests/support/system/certificates.h"
#include "tests/support/system/leftovers.h"

namespace shoal::flood {
namespace {

using testing::AgentOptions;
using testing::AgentProcess;

constexpr char kAddress[] = "127.0.0.1:17431";
constexpr char kFlooder[] = "spiffe://shoal.test/flooder";
constexpr int kDrivers = 8;

// What is started for a flood; beside this program.
std::string Process() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "shoal_flood_process";
}

void PinToLastCore() {
  cpu_set_t cores;
  CPU_ZERO(&cores);
  CPU_SET(std::thread::hardware_concurrency() - 1, &cores);
  sched_setaffinity(0, sizeof(cores), &cores);
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// What a driver has to speak with.
struct Driver {
  explicit Driver(const std::string& directory) {
    grpc::SslCredentialsOptions ssl;
    ssl.pem_root_certs = ReadFile(directory + "/ca.crt");
    ssl.pem_cert_chain = ReadFile(directory + "/ca-flooder.crt");
    ssl.pem_private_key = ReadFile(directory + "/ca-flooder.key");
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxReceiveMessageSize(-1);
    channel = grpc::CreateCustomChannel(kAddress, grpc::SslCredentials(ssl), arguments);
    processes = v1::ProcessService::NewStub(channel);
    sessions = v1::SessionService::NewStub(channel);
    // A flood that does not arrive measures nothing.
    grpc::ClientContext context;
    v1::ListResponse response;
    const grpc::Status served = processes->List(&context, v1::ListRequest(), &response);
    if (served.ok()) return;
    std::fprintf(stderr, "the flooder is not served: %s\n", served.error_message().c_str());
    std::abort();
  }
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::ProcessService::Stub> processes;
  std::unique_ptr<v1::SessionService::Stub> sessions;
};

v1::SpawnBatchRequest BatchOf(int count, const std::vector<std::string>& argv) {
  v1::SpawnBatchRequest request;
  request.set_request_id(NewRequestId());
  *request.add_specs() = testing::SpecOf(argv);
  request.mutable_ranks()->set_count(count);
  request.mutable_ranks()->set_world_size(count);
  return request;
}

void SpawnBatches(Driver& driver, const v1::SpawnBatchRequest& request) {
  v1::SpawnBatchRequest again = request;
  while (true) {
    again.set_request_id(NewRequestId());
    grpc::ClientContext context;
    v1::SpawnBatchResponse response;
    driver.processes->SpawnBatch(&context, again, &response);
    if (response.results_size() == 0 || response.results(0).has_error()) usleep(100'000);
  }
}

// Ranks with 900 kB of arguments, and waits for all of them.
void DriveLongBatches(Driver& driver) {
  std::vector<std::string> argv = {Process()};
  for (int i = 0; i < 9; ++i) argv.push_back(std::string(100'000, 'x'));
  std::thread spawning([&] { SpawnBatches(driver, BatchOf(10'000, argv)); });
  while (true) {
    grpc::ClientContext context;
    v1::WaitRequest request;
    request.mutable_selector()->set_all(true);
    request.mutable_timeout()->set_nanos(100'000'000);
    v1::WaitResponse response;
    if (!driver.processes->Wait(&context, request, &response).ok()) usleep(100'000);
  }
}

void DriveRankHosts(Driver& driver) {
  v1::SpawnBatchRequest request = BatchOf(500, {Process()});
  for (int i = 0; i < 130; ++i) request.mutable_ranks()->add_hosts(std::string(999, 'h'));
  SpawnBatches(driver, request);
}

void DriveGlobs(Driver& driver) {
  int round = 0;
  while (true) {
    grpc::ClientContext context;
    v1::ListRequest request;
    for (int i = 0; i < 10'000; ++i) request.mutable_selector()->add_terms(absl::StrCat("*", i));
    // What is within the limit, too.
    if (round++ % 2 == 0) {
      request.mutable_selector()->clear_terms();
      for (int i = 0; i < 64; ++i)
        request.mutable_selector()->add_terms(absl::StrCat("*e*", i % 7));
    }
    v1::ListResponse response;
    driver.processes->List(&context, request, &response);
  }
}

void DriveBatches(Driver& driver) { SpawnBatches(driver, BatchOf(1'000, {Process()})); }

void DriveSpawns(Driver& driver) {
  while (true) {
    grpc::ClientContext context;
    v1::SpawnRequest request;
    request.set_request_id(NewRequestId());
    *request.mutable_spec() = testing::SpecOf({Process()});
    v1::SpawnResponse response;
    if (!driver.processes->Spawn(&context, request, &response).ok()) usleep(10'000);
  }
}

void DriveWatches(Driver& driver) {
  struct Open {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::WatchResponse>> reader;
  };
  std::vector<std::unique_ptr<Open>> open;
  while (open.size() < 600) {
    open.push_back(std::make_unique<Open>());
    open.back()->reader = driver.processes->Watch(&open.back()->context, v1::WatchRequest());
    // Of a refused one nothing comes; one that is served is never read on.
    v1::WatchResponse first;
    if (!open.back()->reader->Read(&first)) {
      open.back()->reader->Finish();
      open.pop_back();
      usleep(100'000);
    }
  }
  pause();
}

void DriveSessions(Driver& driver) {
  while (true) {
    grpc::ClientContext context;
    v1::OpenRequest request;
    request.set_request_id(NewRequestId());
    request.mutable_ttl()->set_seconds(600);
    v1::OpenResponse response;
    if (!driver.sessions->Open(&context, request, &response).ok()) usleep(10'000);
    grpc::ClientContext list_context;
    v1::SessionServiceListResponse list;
    driver.sessions->List(&list_context, {}, &list);
  }
}

[[noreturn]] void Spin() {
  for (volatile uint64_t count = 0;;) count = count + 1;
}

struct Flood {
  std::string name;
  int drivers;
  std::function<void(Driver&)> drive;
  // Others, by their place in the list, one driver each, in place of its own.
  std::vector<size_t> at_once = {};
};

const std::vector<Flood>& Floods() {
  static const std::vector<Flood> kFloods = {
      {"batches of 10,000 with 900 kB of argv, Wait{all}", 2, DriveLongBatches},
      {"batches of 500 with 130 kB of hosts", kDrivers, DriveRankHosts},
      {"List with 10,000 and with 64 globs", kDrivers, DriveGlobs},
      {"batches of 1,000", kDrivers, DriveBatches},
      {"single Spawns", kDrivers, DriveSpawns},
      {"600 Watch streams each", kDrivers, DriveWatches},
      {"sessions", kDrivers, DriveSessions},
      {"the first three at once", 0, nullptr, {0, 1, 2}},
      {"all of these at once", 0, nullptr, {0, 1, 2, 3, 4, 5, 6}},
  };
  return kFloods;
}

pid_t Start(const std::function<void()>& work) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  PinToLastCore();
  setpriority(PRIO_PROCESS, 0, 0);
  work();
  _exit(0);
}

// A driver is a program of its own: gRPC does not live on in a fork.
pid_t StartDriver(size_t kind, const std::string& directory) {
  return Start([&] {
    const std::string number = absl::StrCat(kind);
    execl("/proc/self/exe", "flood", "--drive", number.c_str(), directory.c_str(), nullptr);
    _exit(1);
  });
}

double At(std::vector<double> values, double part) {
  if (values.empty()) return -1;
  std::sort(values.begin(), values.end());
  const auto at = static_cast<size_t>(part * static_cast<double>(values.size()));
  return values[std::min(values.size() - 1, at)];
}

int64_t RssOf(pid_t pid) {
  std::ifstream status(absl::StrCat("/proc/", pid, "/status"));
  std::string line;
  while (std::getline(status, line)) {
    int64_t kib = 0;
    if (sscanf(line.c_str(), "VmRSS: %ld kB", &kib) == 1) return kib / 1024;
  }
  return -1;
}

struct Figures {
  double spawn_p99_ms = 0;
  double get_p99_ms = 0;
  double get_max_ms = 0;
  int64_t rss_growth_mib = 0;
};

// What the other identity sees meanwhile.
Figures Measure(AgentProcess& agent, int spawns) {
  std::vector<double> spawn_ms, get_ms;
  v1::SpawnRequest request;
  *request.mutable_spec() = testing::SpecOf({"/bin/true"});
  for (int i = 0; i < spawns; ++i) {
    request.set_request_id(NewRequestId());
    v1::SpawnResponse response;
    const BootTime before = BootTime::Now();
    const grpc::Status status = agent.stub().TrySpawn(request, &response);
    if (!status.ok()) fprintf(stderr, "spawn: %s\n", testing::Describe(status).c_str());
    const BootTime spawned = BootTime::Now();
    spawn_ms.push_back(absl::ToDoubleMilliseconds(spawned - before));
    grpc::ClientContext context;
    v1::GetRequest get;
    get.set_selector(response.process().id());
    v1::GetResponse got;
    agent.stub().processes().Get(&context, get, &got);
    get_ms.push_back(absl::ToDoubleMilliseconds(BootTime::Now() - spawned));
  }
  return {At(spawn_ms, 0.99), At(get_ms, 0.99), At(get_ms, 1.0), RssOf(agent.pid())};
}

// One agent, one run.
Figures Run(int kind, bool is_flood, int spawns) {
  char name[] = "/tmp/shoal-flood-XXXXXX";
  if (mkdtemp(name) == nullptr) abort();
  Figures figures;
  {
    testing::Leftovers leftovers(name, "");
    AgentOptions options;
    options.name = "flood";
    options.directory = name;
    const testing::CertificateAuthority authority(name, "ca");
    const testing::Credential host = authority.ForHost("host", "127.0.0.1");
    authority.ForClient("flooder", kFlooder);
    options.flags = {"--listen", kAddress,   "--tls-cert",     host.cert,          "--tls-key",
                     host.key,   "--tls-ca", authority.cert(), "--allow-identity", kFlooder};
    AgentProcess agent(std::move(options));
    if (!agent.Start()) exit(1);
    Measure(agent, 10);
    const int64_t rss = RssOf(agent.pid());
    std::vector<pid_t> started;
    if (is_flood) {
      const Flood& flood = Floods()[static_cast<size_t>(kind)];
      for (int i = 0; i < flood.drivers; ++i) {
        started.push_back(StartDriver(static_cast<size_t>(kind), name));
      }
      for (const size_t other : flood.at_once) started.push_back(StartDriver(other, name));
    } else {
      for (unsigned i = 0; i < std::thread::hardware_concurrency(); ++i)
        started.push_back(Start(Spin));
    }
    absl::SleepFor(absl::Seconds(2));
    figures = Measure(agent, spawns);
    figures.rss_growth_mib = RssOf(agent.pid()) - rss;
    for (const pid_t pid : started) kill(pid, SIGKILL);
    for (const pid_t pid : started) waitpid(pid, nullptr, 0);
    agent.stub().TerminateAll();
    agent.Stop();
    leftovers.Check();
  }
  std::filesystem::remove_all(name);
  return figures;
}

Figures MedianOf(const std::vector<Figures>& runs) {
  const auto median = [&runs](auto field) {
    std::vector<double> values;
    values.reserve(runs.size());
    for (const Figures& run : runs) values.push_back(static_cast<double>(run.*field));
    return At(values, 0.5);
  };
  return {median(&Figures::spawn_p99_ms), median(&Figures::get_p99_ms),
          median(&Figures::get_max_ms), static_cast<int64_t>(median(&Figures::rss_growth_mib))};
}

Figures RunSeveral(int kind, bool is_flood, bool is_quick) {
  std::vector<Figures> runs(is_quick ? 1 : 5);
  for (Figures& run : runs) run = Run(kind, is_flood, is_quick ? 50 : 300);
  return MedianOf(runs);
}

void Print(const std::string& what, const Figures& figures, double base) {
  absl::PrintF("| %-50s | %8.1f | %5.1f | %8.1f | %8.1f | %5d |\n", what, figures.spawn_p99_ms,
               figures.spawn_p99_ms / base, figures.get_p99_ms, figures.get_max_ms,
               figures.rss_growth_mib);
  fflush(stdout);
}

int Main(int argc, char** argv) {
  int only = -1;
  bool is_quick = false;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--quick") is_quick = true;
    if (word == "--only" && (i + 1 == argc || !absl::SimpleAtoi(argv[++i], &only))) return 2;
    if (word == "--drive" && i + 2 < argc) {
      size_t kind = 0;
      if (!absl::SimpleAtoi(argv[i + 1], &kind) || kind >= Floods().size()) return 2;
      Driver driver(argv[i + 2]);
      Floods()[kind].drive(driver);
      return 0;
    }
  }
  const Figures base = RunSeveral(0, /*is_flood=*/false, is_quick);
  absl::PrintF("| %-50s | %8s | %5s | %8s | %8s | %5s |\n", "flood", "Spawn ms", "ratio", "Get ms",
               "max ms", "MiB");
  Print("a busy loop per core", base, base.spawn_p99_ms);
  for (size_t kind = 0; kind < Floods().size(); ++kind) {
    if (only >= 0 && static_cast<size_t>(only) != kind) continue;
    Print(Floods()[kind].name, RunSeveral(static_cast<int>(kind), true, is_quick),
          base.spawn_p99_ms);
  }
  return 0;
}

}  // namespace
}  // namespace shoal::flood

int main(int argc, char** argv) { return shoal::flood::Main(argc, argv); }
