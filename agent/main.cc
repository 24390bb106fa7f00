// shoald: the agent. Flags, signal mask, exit code; agent.h has the parts and their order.
//
//  1. Settings      flags and TOML file; nothing is touched before they are known to be good.
//  2. BlockSignals  before the first thread; SIGTERM, SIGINT and SIGHUP come by signalfd.
//  3. Start         Agent::Prepare, Recover, Serve.
//  4. Agent::Run    until it has drained.
//
// Exit codes: 0 drained, 1 could not start (one line says why), 2 wrong usage, 75 no threads to be had: try again.
#include <malloc.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
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
#include "agent/agent.h"
#include "agent/os/descriptor.h"
#include "agent/readiness.h"
#include "agent/settings.h"
#include "common/escape.h"
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

// gRPC's and ours, with a few to spare; the first of them is started behind this.
constexpr int kThreads = 24;

constexpr int kExitFailure = 1;
constexpr int kExitTryAgain = 75;

absl::Status Start(Agent* agent, int signal_fd) {
  SHOAL_RETURN_IF_ERROR(CheckSpareThreads(kThreads));
  SHOAL_RETURN_IF_ERROR(agent->Prepare(signal_fd));
  SHOAL_RETURN_IF_ERROR(agent->Recover());
  return agent->Serve();
}

int RunAgent(Settings settings) {
  Readiness readiness(settings.ready_fd);
  absl::StatusOr<UniqueFd> signals = BlockSignals();
  Agent agent(std::move(settings));
  absl::Status started = signals.ok() ? Start(&agent, signals->get()) : signals.status();
  if (!started.ok()) {
    readiness.Failed(started);
    std::fprintf(stderr, "shoald: %s\n",
                 EscapeForMessage(absl::string_view(started.message()), 1024).c_str());
    return absl::IsResourceExhausted(started) ? kExitTryAgain : kExitFailure;
  }
  std::fprintf(stderr, "%s\n", agent.ReadyLine().c_str());
  readiness.Ready(agent.settings().socket);
  agent.Run(&readiness);
  return 0;
}

int Main(int argc, char** argv) {
  int exit_code = 0;
  std::optional<Settings> settings = ParseSettings(argc, argv, &exit_code);
  if (!settings.has_value()) return exit_code;
  LimitMemory();
  SetUpLog(settings->log_level);
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
