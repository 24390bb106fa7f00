// shoald: the agent. Flags, signal mask, exit code; agent.h has the parts and their order.
//
//  1. Settings      flags and TOML file; nothing is touched before they are known to be good.
//  2. BlockSignals  before the first thread; SIGTERM, SIGINT and SIGHUP come by signalfd.
//  3. Start         the thread of the log, then Agent::Prepare, Recover, Serve.
//  4. Agent::Run    until it has drained.
//
// With --terminate none of this: EndUnattended, in this one thread.
//
// Exit codes: 0 drained, 1 could not start (one line says why), 2 wrong usage, 75 no threads to be had: try again.
// With --terminate: 0 all are over, 1 not all are, or could not look, 2 wrong usage, 75 an agent runs.
#include <malloc.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "agent/agent.h"
#include "agent/log/stderr_log.h"
#include "agent/os/descriptor.h"
#include "agent/os/unattended_end.h"
#include "agent/readiness.h"
#include "agent/settings.h"
#include "common/deadlock_checks.h"
#include "common/escape.h"
#include "common/ids.h"
#include "common/spare_threads.h"
#include "common/standard_descriptors.h"
#include "common/status.h"
#include "common/unique_fd.h"

namespace shoal::agent {
namespace {

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
void PrepareLibraries() {
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_TRIM_THRESHOLD, 1 << 20);
  unsetenv("GRPC_ENABLE_FORK_SUPPORT");
  SkipDeadlockChecks();
}

// Environments, tokens and the TLS key are in its memory: no core dump of it, and no other program of
// this user reads it. A shim is another program, which does the same for itself; see its main.cc.
void Protect() { prctl(PR_SET_DUMPABLE, 0); }

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;
constexpr int kExitTryAgain = 75;

// For the last lines, where stderr may not be read.
constexpr absl::Duration kLastLogLines = absl::Seconds(1);

absl::Status Start(Agent* agent, StderrLog* log, int signal_fd) {
  SHOAL_RETURN_IF_ERROR(CheckSpareThreads(Agent::CountThreads()));
  log->StartThread();
  SHOAL_RETURN_IF_ERROR(agent->Prepare(signal_fd));
  SHOAL_RETURN_IF_ERROR(agent->Recover());
  return agent->Serve();
}

void Complain(absl::string_view message) {
  std::fprintf(stderr, "shoald: %s\n", EscapeForMessage(message, 1024).c_str());
}

int RunAgent(Settings settings) {
  Readiness readiness(settings.ready_fd);
  absl::StatusOr<UniqueFd> signals = BlockSignals();
  auto log = std::make_shared<StderrLog>(STDERR_FILENO);
  SetDefaultLogger(log, settings.log_level);
  Agent agent(std::move(settings), log);
  absl::Status started = signals.ok() ? Start(&agent, log.get(), signals->get()) : signals.status();
  if (!started.ok()) {
    readiness.Failed(started);
    log->Write("shoald: ", EscapeForMessage(started.message(), 1024));
    log->Flush(kLastLogLines);
    if (absl::IsInvalidArgument(started)) return kExitUsage;
    return absl::IsResourceExhausted(started) ? kExitTryAgain : kExitFailure;
  }
  log->Write("", agent.ReadyLine());
  readiness.Ready(agent.settings().socket);
  agent.Run(&readiness);
  log->Flush(kLastLogLines);
  return 0;
}

absl::StatusOr<bool> EndAsTold(const Settings& settings) {
  SHOAL_ASSIGN_OR_RETURN(const std::string boot_id, ReadBootId());
  int count = 0;
  absl::StatusOr<bool> over = EndUnattended({.run_dir = settings.run_dir,
                                             .boot_id = boot_id,
                                             .which = settings.terminate,
                                             .grace = settings.grace},
                                            [&count](const std::string& line) {
                                              ++count;
                                              std::printf("%s\n", line.c_str());
                                            });
  if (over.ok() && count == 0) std::printf("no process of %s lives\n", settings.run_dir.c_str());
  if (std::fflush(stdout) != 0) return ErrnoStatus(errno, "write stdout");
  return over;
}

int Terminate(const Settings& settings) {
  const absl::StatusOr<bool> over = EndAsTold(settings);
  if (over.ok()) return *over ? 0 : kExitFailure;
  if (absl::IsUnavailable(over.status())) {
    Complain(absl::StrCat(over.status().message(),
                          ": `shoal stop` ends processes through it; one that does not answer may "
                          "be killed first"));
    return kExitTryAgain;
  }
  Complain(over.status().message());
  return absl::IsInvalidArgument(over.status()) ? kExitUsage : kExitFailure;
}

int Main(int argc, char** argv) {
  int exit_code = 0;
  std::optional<Settings> settings = ParseSettings(argc, argv, &exit_code);
  if (!settings.has_value()) return exit_code;
  if (!settings->terminate.empty()) return Terminate(*settings);
  PrepareLibraries();
  Protect();
  const int status = RunAgent(*std::move(settings));
  std::fflush(nullptr);
  _exit(status);  // gRPC's threads live on: see Agent::Run
}

}  // namespace
}  // namespace shoal::agent

int main(int argc, char** argv) {
  shoal::OpenMissingDescriptors();
  return shoal::agent::Main(argc, argv);
}
