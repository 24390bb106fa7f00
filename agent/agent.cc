#include "agent/agent.h"

#include <malloc.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "agent/log/audit_file.h"
#include "agent/log/audit_journal.h"
#include "agent/os/base_environment.h"
#include "agent/os/descriptor.h"
#include "agent/os/host_facts.h"
#include "agent/record/checksum.h"
#include "agent/rpc/executor_threads.h"
#include "agent/rpc/grpc_log.h"
#include "agent/spec/spec_checks.h"
#include "agent/version.h"
#include "common/descriptor_limit.h"
#include "common/ids.h"
#include "common/notification.h"
#include "common/private_directory.h"
#include "common/status.h"
#include "shoal/v1/fork_protocol.h"

namespace shoal::agent {
namespace {

// Beside those of gRPC's executor; the log's, the first of all, is started behind the check.
constexpr int kOtherThreads = 23;

constexpr absl::Duration kDrainGrace = absl::Seconds(3);
constexpr absl::Duration kDrainSlack = absl::Seconds(2);
// For what is still to be written when the agent ends.
constexpr absl::Duration kLastWords = absl::Milliseconds(500);
// See SupervisorOptions.
constexpr size_t kStartsPerCore = 4;
constexpr size_t kEndsPerCore = 8;

std::string HostNameOf(const Settings& settings) {
  return settings.host_name.empty() ? ReadHostFacts().name : settings.host_name;
}

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

// What output and input of one identity may take up; the rest is for that of others.
int64_t HalfOfDisk(const std::string& directory) {
  struct statvfs disk {};
  if (statvfs(directory.c_str(), &disk) != 0) return Quotas().disk_bytes;
  return static_cast<int64_t>(disk.f_blocks) / 2 * static_cast<int64_t>(disk.f_frsize);
}

// Tests play agents of other versions: "VERSION SIZE OLDEST_READER" of the records of new
// processes.
RecordFile::Format RecordFormat() {
  RecordFile::Format format;
#ifdef SHOAL_FAILPOINTS
  if (const char* played = getenv("SHOAL_PLAY_RECORD_FORMAT")) {
    std::sscanf(played, "%u %u %u", &format.version, &format.size, &format.oldest_reader);
  }
#endif
  return format;
}

}  // namespace

Agent::Agent(Settings settings, std::shared_ptr<StderrLog> log)
    : settings_(std::move(settings)), log_(std::move(log)), host_name_(HostNameOf(settings_)) {
  RedirectGrpcLog();
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
  input_rings_ = std::make_unique<SystemInputRings>(loop_.get(), output_files_->directory());
  blob_thread_ = std::make_unique<HelperThread>();
  blob_turns_.emplace([thread = blob_thread_.get()](FairQueue::Closure closure) {
    thread->Run(std::move(closure));
  });
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
  options.record_format = RecordFormat();
  options.idle_shims =
      static_cast<size_t>(settings_.idle_shims >= 0 ? settings_.idle_shims : ReadHostFacts().cores);
  options.on_trouble = [](const std::string& line) { spdlog::warn("{}", line); };
  // The store first: an agent that cannot read it must not touch the records either.
  SHOAL_ASSIGN_OR_RETURN(store_,
                         SqliteStore::Open(settings_.state_dir, kVersion, settings_.retention,
                                           // What thousands of processes took, and freed.
                                           [] { malloc_trim(0); }));
  SHOAL_ASSIGN_OR_RETURN(shims_, SystemShims::Open(loop_.get(), options));
  return absl::OkStatus();
}

// One that cannot be written is no hindrance to start: ends of processes go on without it.
void Agent::OpenAudit() {
  std::unique_ptr<AuditSink> sink;
  if (settings_.audit_log == kJournald) {
    sink = std::make_unique<AuditJournal>();
  } else {
    sink = std::make_unique<AuditFile>(settings_.audit_log);
  }
  AuditOptions options;
  options.required = settings_.audit_required;
  audit_log_ = std::make_unique<AuditLog>(
      options, std::move(sink), [](const std::string& line, bool is_over) {
        spdlog::log(is_over ? spdlog::level::warn : spdlog::level::err, "{}", line);
      });
  audit_log_->Write(AuditEntry{.event = "start", .pid = absl::StrCat(getpid())});
  auditor_.emplace(audit_log_.get());
  callers_->SetAuditor(&*auditor_);
}

absl::Status Agent::Prepare(int signal_fd) {
  nofile_soft_ = RaiseDescriptorLimit();
  rlimit descriptors{};
  getrlimit(RLIMIT_NOFILE, &descriptors);
  callers_.emplace(settings_.allow_identity, TcpLimitsFor(descriptors.rlim_cur));
  SHOAL_ASSIGN_OR_RETURN(boot_id_, ReadBootId());
  SHOAL_RETURN_IF_ERROR(OpenDirectories());
  SHOAL_ASSIGN_OR_RETURN(loop_, EventLoop::Create());
  turns_.emplace(loop_.get());
  scheduler_.emplace(loop_.get(), &*turns_);
  slices_.emplace(&clock_, &*scheduler_);
  helper_ = std::make_unique<HelperThread>();
  drainer_ = std::make_unique<HelperThread>();
  SHOAL_RETURN_IF_ERROR(OpenState());
  OpenAudit();
  return loop_->Watch(signal_fd, EPOLLIN, [this, signal_fd](uint32_t) {
    signalfd_siginfo info{};
    if (read(signal_fd, &info, sizeof(info)) != sizeof(info)) return;
    OnSignal(static_cast<int>(info.ssi_signo), static_cast<int>(info.ssi_pid));
  });
}

void Agent::OnSignal(int signal, int pid) {
  if (signal == SIGHUP && server_ != nullptr && !is_draining_) return Reload();
  BeginDrain(absl::StrCat("signal ", signal, " from pid ", pid));
}

void Agent::Reload() {
  if (settings_.listen.empty()) {
    spdlog::info("SIGHUP: there are no certificates to be read again");
    return;
  }
  server_->Reload([](const absl::Status& status) {
    if (status.ok()) {
      spdlog::info("SIGHUP: certificates and revocation lists were read again");
    } else {
      spdlog::error("SIGHUP: {}; what was read before is used on", std::string(status.message()));
    }
  });
}

absl::Status Agent::Recover() {
  SupervisorOptions options;
  options.agent_version = kVersion;
  options.boot_id = boot_id_;
  options.host_name = host_name_;
  options.base_env = BaseEnvironment();
  options.own_env = {absl::StrCat("SHOAL_HOST=", host_name_),
                     absl::StrCat("SHOAL_AGENT=unix:", settings_.socket),
                     absl::StrCat(fork_protocol::kSocketVariable, "=", shims_->fork_socket_path())};
  options.retention = settings_.retention;
  options.retention_count = settings_.retention_count;
  options.dead_man = settings_.dead_man;
  options.has_cgroup = shims_->has_cgroup();
  const auto cores = static_cast<size_t>(std::max(1, ReadHostFacts().cores));
  options.starts_at_once = std::min(options.starts_at_once, kStartsPerCore * cores);
  options.ends_at_once = std::min(options.ends_at_once, kEndsPerCore * cores);
  options.quotas.disk_bytes = HalfOfDisk(settings_.state_dir);
  supervisor_ = std::make_unique<Supervisor>(options, Ports{.clock = &clock_,
                                                            .scheduler = &*scheduler_,
                                                            .store = store_.get(),
                                                            .slots = shims_.get(),
                                                            .offers = shims_.get(),
                                                            .programs = shims_.get(),
                                                            .trees = shims_.get(),
                                                            .peers = &peers_,
                                                            .output = output_files_.get(),
                                                            .files = process_files_.get(),
                                                            .inputs = input_rings_.get()});
  SHOAL_RETURN_IF_ERROR(supervisor_->Recover());
  for (const std::string& line : store_->damaged()) spdlog::warn("{}", line);
  for (const std::string& line : supervisor_->unmanaged()) spdlog::warn("{}", line);
  supervisor_->FinishTurn();
  return absl::OkStatus();
}

void Agent::FillEdge() {
  edge_.loop = loop_.get();
  edge_.turns = &*turns_;
  edge_.slices = &*slices_;
  edge_.supervisor = supervisor_.get();
  edge_.clock = &clock_;
  edge_.trees = shims_.get();
  edge_.output = {loop_.get(), &*turns_, supervisor_.get(), output_thread_.get(),
                  output_files_->directory()};
  edge_.blobs = blobs_.get();
  edge_.blob_thread = blob_thread_.get();
  edge_.blob_turns = &*blob_turns_;
  edge_.callers = &*callers_;
  edge_.auditor = &*auditor_;
  edge_.calls = &calls_;
  edge_.quota = &quota_;
  edge_.host_name = host_name_;
  edge_.agent_id = supervisor_->agent_id();
  edge_.boot_id = boot_id_;
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
  info.template_dead_man = IsPrivate() ? absl::ZeroDuration() : settings_.dead_man;
  info.checks = {settings_.run_dir, settings_.state_dir, shims_->cgroups(), shims_->cgroup_status(),
                 settings_.insecure_loopback};
  info.audit = audit_log_.get();
  info.helper = helper_.get();
  return info;
}

int Agent::CountThreads() { return kOtherThreads + CountExecutorThreads(); }

absl::Status Agent::Serve() {
  output_thread_ = std::make_unique<OutputThread>();
  FillEdge();
  ServerOptions options;
  options.socket_path = settings_.socket;
  options.tcp.listen = settings_.listen;
  options.tcp.insecure_loopback = settings_.insecure_loopback;
  options.tcp.tls = {settings_.tls_cert, settings_.tls_key, settings_.tls_ca};
  options.tcp.crl_directory = settings_.tls_crl_dir;
  options.tcp.run_directory = settings_.run_dir;
  options.max_connection_age = settings_.max_connection_age;
  if (settings_.insecure_loopback) {
    spdlog::warn("--insecure-loopback: any local user may run commands as uid {}", geteuid());
  }
  SHOAL_ASSIGN_OR_RETURN(server_, Server::Start(options, &edge_, MakeHostInfo()));
  if (IsPrivate()) {
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
  if (std::exchange(is_draining_, true)) return;
  // No other agent may ever come to what a private one was started for.
  const std::string templates = supervisor_->LeaveTemplates(/*end=*/IsPrivate());
  const int living = supervisor_->live_processes();
  spdlog::info("stopping: {}; {} {}{}{}", reason, living,
               living == 1 ? "process goes on" : "processes go on", templates.empty() ? "" : "; ",
               templates);
  readiness_->Stopping();
  server_->StopListening();
  loop_->After(kDrainGrace + kDrainSlack, [this] { Leave(); });
  drainer_->Run([this] {
    server_->Drain(kDrainGrace);
    // The helpers may be gathering facts, or writing a chunk, for a call.
    for (HelperThread* helper : {helper_.get(), blob_thread_.get()}) {
      Notification answered;
      helper->Run([&answered] { answered.Notify(); });
      answered.WaitForNotification();
    }
    loop_->Stop();
  });
}

// gRPC keeps no deadline when its timer thread could not be started, as in a full pids cgroup.
// Everything durable is committed by now.
void Agent::Leave() {
  spdlog::warn("gRPC has not ended its calls in time; leaving it");
  LeaveNow();
}

// Past what waits for a disk or a reader that does not come.
void Agent::LeaveNow() {
  audit_log_->Flush(kLastWords);
  store_.reset();
  shims_.reset();
  log_->Flush(kLastWords);
  _exit(0);
}

void Agent::Run(Readiness* readiness) {
  readiness_ = readiness;
  loop_->Run([this] {
    const absl::Duration before = FairQueue::ThreadCpuTime();
    supervisor_->FinishTurn();
    turns_->ChargeTurnEnd(FairQueue::ThreadCpuTime() - before);
  });
  drainer_.reset();
  idle_watch_.reset();
  // Not destroyed: its calls have ended with the drain, and gRPC's last shutdown waits for ever for a
  // thread of its own that could not be started once, as in a full pids cgroup. main ends by _exit.
  static_cast<void>(server_.release());
  // Its thread may hang in a write to a disk that does not answer.
  if (!audit_log_->Flush(kLastWords)) LeaveNow();
}

}  // namespace shoal::agent
