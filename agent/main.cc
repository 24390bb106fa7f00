// shoald: the agent. Flags, signal mask, start order, exit code.
//
//  1. Settings      flags and TOML file; nothing is touched before they are known to be good.
//  2. BlockSignals  before the first thread; SIGTERM, SIGINT and SIGHUP come by signalfd.
//  3. Prepare       directories, lock of the state directory, loop, files, records, database.
//  4. Recover       every process and session again, before anybody can ask.
//  5. Serve         gRPC; then it is ready.
//  6. Drain         on a signal, or when idle for long enough: processes stay.
//
// Exit codes: 0 drained, 1 could not start (one line says why), 2 wrong usage.
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "agent/core/supervisor.h"
#include "agent/loop/event_loop.h"
#include "agent/os/base_environment.h"
#include "agent/os/blob_store.h"
#include "agent/os/descriptor.h"
#include "agent/os/helper_thread.h"
#include "agent/os/host_facts.h"
#include "agent/os/lock_file.h"
#include "agent/os/loop_scheduler.h"
#include "agent/os/private_directory.h"
#include "agent/os/process_files.h"
#include "agent/os/system_clock.h"
#include "agent/os/system_output_files.h"
#include "agent/os/system_shims.h"
#include "agent/readiness.h"
#include "agent/rpc/edge.h"
#include "agent/rpc/idle_watch.h"
#include "agent/rpc/output_thread.h"
#include "agent/rpc/server.h"
#include "agent/rpc/spec_conversion.h"
#include "agent/settings.h"
#include "agent/store/sqlite_store.h"
#include "agent/version.h"
#include "common/escape.h"
#include "common/ids.h"
#include "common/status.h"
#include "shoal/v1/fork_protocol.h"

namespace shoal::agent {
namespace {

constexpr absl::Duration kDrainGrace = absl::Seconds(3);

std::string HostNameOf(const Settings& settings) {
  return settings.host_name.empty() ? ReadHostFacts().name : settings.host_name;
}

// The agent's parts, in the order in which they stand on each other.
class Agent {
 public:
  explicit Agent(Settings settings)
      : settings_(std::move(settings)),
        host_name_(HostNameOf(settings_)),
        callers_(AllowedIdentities(settings_.allow_identity), host_name_) {}

  absl::Status Prepare(int signal_fd);
  absl::Status Recover();
  absl::Status Serve();
  // Until a signal or the idle watch ends it.
  void Run(Readiness* readiness);

  const Settings& settings() const { return settings_; }
  std::string ReadyLine() const;

 private:
  absl::Status OpenDirectories();
  absl::Status OpenState();
  void FillEdge();
  HostInfo MakeHostInfo() const;
  void BeginDrain(const std::string& reason);

  const Settings settings_;
  const std::string host_name_;
  Readiness* readiness_ = nullptr;
  std::string boot_id_;
  rlim_t nofile_soft_ = 0;
  std::optional<LockFile> state_lock_;
  std::unique_ptr<EventLoop> loop_;
  SystemClock clock_;
  std::optional<LoopScheduler> scheduler_;
  OpenCalls calls_;
  Callers callers_;
  Edge edge_;
  std::unique_ptr<HelperThread> helper_;
  std::unique_ptr<SystemOutputFiles> output_files_;
  std::unique_ptr<BlobStore> blobs_;
  std::unique_ptr<HelperThread> blob_thread_;
  std::unique_ptr<SystemProcessFiles> process_files_;
  std::unique_ptr<SystemShims> shims_;
  std::unique_ptr<SqliteStore> store_;
  std::unique_ptr<Supervisor> supervisor_;
  std::unique_ptr<OutputThread> output_thread_;
  std::unique_ptr<Server> server_;
  std::unique_ptr<IdleWatch> idle_watch_;
  std::thread drainer_;
};

// Beside this program in a build tree and in an image, in libexec when installed.
absl::StatusOr<std::string> FindShim() {
  char self[PATH_MAX];
  ssize_t length = readlink("/proc/self/exe", self, sizeof(self));
  if (length < 0) return ErrnoStatus(errno, "readlink /proc/self/exe");
  std::string directory(self, static_cast<size_t>(length));
  directory.resize(directory.rfind('/'));
  for (const char* place : {"/shoal-shim", "/../libexec/shoal/shoal-shim"}) {
    std::string path = directory + place;
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  return absl::NotFoundError(
      absl::StrCat("shoal-shim is neither in ", directory, " nor in ../libexec/shoal beside it"));
}

// Tells the state directory in the name of a cgroup: [0-9a-f]{16}.
std::string TagOf(const std::string& directory) {
  char resolved[PATH_MAX];
  const char* path = realpath(directory.c_str(), resolved);
  std::string text = path == nullptr ? directory : path;
  uint32_t low = record::ChecksumOf(text.data(), text.size());
  std::string salted = absl::StrCat(text, "/", low);
  return absl::StrFormat("%08x%08x", low, record::ChecksumOf(salted.data(), salted.size()));
}

absl::Status Agent::OpenDirectories() {
  SHOAL_RETURN_IF_ERROR(MakePrivateDirectory(settings_.state_dir, "state directory"));
  SHOAL_ASSIGN_OR_RETURN(LockFile lock,
                         LockFile::Take(settings_.state_dir + "/lock",
                                        absl::StrCat("state directory ", settings_.state_dir)));
  state_lock_.emplace(std::move(lock));
  return MakePrivateDirectory(settings_.run_dir, "run directory");
}

absl::Status Agent::OpenState() {
  SHOAL_ASSIGN_OR_RETURN(output_files_,
                         SystemOutputFiles::Open(settings_.state_dir, helper_.get()));
  blob_thread_ = std::make_unique<HelperThread>();
  BlobStoreOptions blob_options;
  blob_options.cap_bytes = settings_.blob_cap_bytes;
  blob_options.boot_id = boot_id_;
  SHOAL_ASSIGN_OR_RETURN(blobs_, BlobStore::Open(settings_.state_dir, blob_options, &clock_));
  SHOAL_ASSIGN_OR_RETURN(process_files_, SystemProcessFiles::Open(settings_.state_dir, blobs_.get(),
                                                                  blob_thread_.get(), loop_.get()));
  SystemShimsOptions options;
  options.run_dir = settings_.run_dir;
  SHOAL_ASSIGN_OR_RETURN(options.shim_path, FindShim());
  options.boot_id = boot_id_;
  options.output_directory = output_files_->directory();
  options.cgroup_base = settings_.cgroup_base;
  options.unique = TagOf(settings_.state_dir);
  options.nofile_soft = nofile_soft_;
  Spec bare;
  bare.env = BaseEnvironment();
  options.base_path = SearchPathOf(bare, "");
  options.on_trouble = [](const std::string& line) { spdlog::warn("{}", line); };
  SHOAL_ASSIGN_OR_RETURN(shims_, SystemShims::Open(loop_.get(), options));
  SHOAL_ASSIGN_OR_RETURN(store_, SqliteStore::Open(settings_.state_dir, &SpecFromWire));
  return absl::OkStatus();
}

absl::Status Agent::Prepare(int signal_fd) {
  nofile_soft_ = RaiseDescriptorLimit();
  SHOAL_ASSIGN_OR_RETURN(boot_id_, ReadBootId());
  SHOAL_RETURN_IF_ERROR(OpenDirectories());
  SHOAL_ASSIGN_OR_RETURN(loop_, EventLoop::Create());
  scheduler_.emplace(loop_.get());
  helper_ = std::make_unique<HelperThread>();
  SHOAL_RETURN_IF_ERROR(OpenState());
  return loop_->Watch(signal_fd, EPOLLIN, [this, signal_fd](uint32_t) {
    signalfd_siginfo info{};
    if (read(signal_fd, &info, sizeof(info)) != sizeof(info)) return;
    BeginDrain(absl::StrCat("signal ", info.ssi_signo, " from pid ", info.ssi_pid));
  });
}

absl::Status Agent::Recover() {
  SupervisorOptions options;
  options.boot_id = boot_id_;
  options.host_name = host_name_;
  options.base_env = BaseEnvironment();
  options.own_env = {absl::StrCat("SHOAL_HOST=", host_name_),
                     absl::StrCat("SHOAL_AGENT=unix:", settings_.socket),
                     absl::StrCat(fork_protocol::kSocketVariable, "=", shims_->fork_socket_path())};
  options.template_spec = &TemplateSpecOf;
  options.retention = settings_.retention;
  options.retention_count = settings_.retention_count;
  options.dead_man = settings_.dead_man;
  options.has_cgroup = shims_->has_cgroup();
  supervisor_ =
      std::make_unique<Supervisor>(options, &clock_, &*scheduler_, shims_.get(),
                                   output_files_.get(), process_files_.get(), store_.get());
  SHOAL_RETURN_IF_ERROR(supervisor_->Recover());
  for (const std::string& line : store_->damaged()) spdlog::warn("{}", line);
  supervisor_->FinishTurn();
  loop_->SetTurnEnd([this] { supervisor_->FinishTurn(); });
  return absl::OkStatus();
}

void Agent::FillEdge() {
  edge_.loop = loop_.get();
  edge_.supervisor = supervisor_.get();
  edge_.clock = &clock_;
  edge_.shims = shims_.get();
  edge_.output = output_thread_.get();
  edge_.output_directory = output_files_->directory();
  edge_.blobs = blobs_.get();
  edge_.blob_thread = blob_thread_.get();
  edge_.callers = &callers_;
  edge_.calls = &calls_;
  edge_.host_name = host_name_;
  edge_.agent_id = supervisor_->agent_id();
  edge_.boot_id = boot_id_;
  edge_.retention = settings_.retention;
  edge_.limits = LimitsOfThisProcess();
}

HostInfo Agent::MakeHostInfo() const {
  HostInfo info;
  info.version = kVersion;
  info.slots = settings_.slots;
  info.labels = settings_.labels;
  info.state_dir = settings_.state_dir;
  if (shims_->has_cgroup()) info.capabilities.push_back("cgroup");
  info.capabilities.push_back("forkserver");
  info.start_time = absl::Now();
  info.checks = {settings_.run_dir, settings_.state_dir, shims_->cgroups(),
                 shims_->cgroup_status()};
  info.helper = helper_.get();
  return info;
}

absl::Status Agent::Serve() {
  output_thread_ = std::make_unique<OutputThread>();
  FillEdge();
  ServerOptions options;
  options.socket_path = settings_.socket;
  options.listen = settings_.listen;
  options.insecure_loopback = settings_.insecure_loopback;
  options.tls = {settings_.tls_cert, settings_.tls_key, settings_.tls_ca};
  SHOAL_ASSIGN_OR_RETURN(server_, Server::Start(options, &edge_, MakeHostInfo()));
  if (settings_.idle_exit > absl::ZeroDuration()) {
    idle_watch_ = std::make_unique<IdleWatch>(&edge_, settings_.idle_exit,
                                              [this] { BeginDrain("nobody needs this agent"); });
  }
  return absl::OkStatus();
}

std::string Agent::ReadyLine() const {
  int slots = settings_.slots > 0 ? settings_.slots : ReadHostFacts().cores;
  return absl::StrCat("shoald ", kVersion, " ready on ", absl::StrJoin(server_->addresses(), ", "),
                      " (", slots, slots == 1 ? " slot)" : " slots)");
}

// Health, streams and calls end on a thread of their own, so that the loop can answer what is still
// under way; then the loop stops.
void Agent::BeginDrain(const std::string& reason) {
  if (drainer_.joinable()) return;
  spdlog::info("stopping: {}; {} processes go on", reason, supervisor_->live_processes());
  readiness_->Stopping();
  server_->StopListening();
  drainer_ = std::thread([this] {
    server_->Drain(kDrainGrace);
    // The helpers may be gathering facts, or writing a chunk, for a call.
    for (HelperThread* helper : {helper_.get(), blob_thread_.get()}) {
      absl::Notification answered;
      helper->Run([&answered] { answered.Notify(); });
      answered.WaitForNotification();
    }
    loop_->Stop();
  });
}

void Agent::Run(Readiness* readiness) {
  readiness_ = readiness;
  loop_->Run();
  drainer_.join();
  idle_watch_.reset();
  server_.reset();
}

// All but those that tell of a bug in this program; threads inherit the mask.
absl::StatusOr<UniqueFd> BlockSignals() {
  sigset_t blocked;
  sigemptyset(&blocked);
  for (int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&blocked, signal);
  UniqueFd fd(signalfd(-1, &blocked, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!fd) return ErrnoStatus(errno, "signalfd");
  sigaddset(&blocked, SIGPIPE);  // a closed stderr must not end the agent
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  return MoveUp(std::move(fd), "signalfd");
}

// Two arenas: memory at rest counts for more than malloc's speed here.
void LimitMemory() {
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
  unsetenv("GRPC_ENABLE_FORK_SUPPORT");
}

void SetUpLog(const std::string& level) {
  auto logger = spdlog::stderr_logger_mt("shoald");
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  spdlog::set_default_logger(std::move(logger));
  spdlog::set_level(spdlog::level::from_str(level));
}

absl::Status Start(Agent* agent, int signal_fd) {
  SHOAL_RETURN_IF_ERROR(agent->Prepare(signal_fd));
  SHOAL_RETURN_IF_ERROR(agent->Recover());
  return agent->Serve();
}

int Main(int argc, char** argv) {
  int exit_code = 0;
  std::optional<Settings> settings = ParseSettings(argc, argv, &exit_code);
  if (!settings.has_value()) return exit_code;
  LimitMemory();
  SetUpLog(settings->log_level);
  Readiness readiness(settings->ready_fd);
  absl::StatusOr<UniqueFd> signals = BlockSignals();
  Agent agent(*std::move(settings));
  absl::Status started = signals.ok() ? Start(&agent, signals->get()) : signals.status();
  if (!started.ok()) {
    readiness.Failed(started);
    std::fprintf(stderr, "shoald: %s\n",
                 EscapeForMessage(absl::string_view(started.message()), 1024).c_str());
    return 1;
  }
  std::fprintf(stderr, "%s\n", agent.ReadyLine().c_str());
  readiness.Ready(agent.settings().socket);
  agent.Run(&readiness);
  return 0;
}

}  // namespace
}  // namespace shoal::agent

int main(int argc, char** argv) { return shoal::agent::Main(argc, argv); }
