#include "tests/support/system/agent_process.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "tests/support/system/binaries.h"

namespace shoal::testing {
namespace {

// True once the other end has written something; false at its end or the deadline.
bool WaitForByte(int fd) {
  pollfd poll_fd{fd, POLLIN, 0};
  if (poll(&poll_fd, 1, static_cast<int>(absl::ToInt64Milliseconds(kDeadline))) <= 0) return false;
  char byte = 0;
  return read(fd, &byte, 1) == 1;
}

}  // namespace

AgentProcess::AgentProcess(AgentOptions options) : options_(std::move(options)) {
  mkdir(options_.directory.c_str(), 0700);
}

AgentProcess::~AgentProcess() {
  if (IsRunning()) Kill();
}

std::vector<std::string> AgentProcess::Arguments() const {
  std::vector<std::string> arguments = {options_.program.empty() ? ShoaldPath() : options_.program,
                                        "--state-dir",
                                        state_dir(),
                                        "--run-dir",
                                        run_dir(),
                                        "--socket",
                                        socket(),
                                        "--host-name",
                                        options_.name};
  if (!options_.cgroup_base.empty()) {
    arguments.insert(arguments.end(), {"--cgroup-base", options_.cgroup_base});
  }
  arguments.insert(arguments.end(), options_.flags.begin(), options_.flags.end());
  return arguments;
}

std::map<std::string, std::string> AgentProcess::Environment() const {
  std::map<std::string, std::string> env = options_.env;
  env.emplace("PATH", "/usr/local/bin:/usr/bin:/bin");
  env.emplace("HOME", options_.directory);
  return env;
}

bool AgentProcess::Start() {
  int pipe_fds[2];
  if (pipe2(pipe_fds, O_CLOEXEC) != 0) return false;
  UniqueFd ready(pipe_fds[0]);
  UniqueFd ready_end(pipe_fds[1]);
  std::vector<std::string> arguments = Arguments();
  arguments.insert(arguments.end(), {"--ready-fd", absl::StrCat(ready_end.get())});
  CommandOptions options;
  options.env = Environment();
  options.namespaces = options_.namespaces;
  options.inherited = ready_end.get();
  options.log_path = absl::StrCat(options_.directory, "/log");
  command_ = std::make_unique<RunningCommand>(std::move(arguments), options);
  ready_end.Reset();
  if (WaitForByte(ready.get())) return true;
  ADD_FAILURE() << "agent " << options_.name << " did not become ready; its log:\n" << Log();
  Kill();
  return false;
}

CommandResult AgentProcess::StartRefused() {
  CommandOptions options;
  options.env = Environment();
  options.namespaces = options_.namespaces;
  return RunProgram(Arguments(), options);
}

void AgentProcess::Kill() {
  if (!command_) return;
  command_->Signal(SIGKILL);
  command_->Wait();
  stub_.reset();
}

CommandResult AgentProcess::Stop() {
  stub_.reset();
  command_->Signal(SIGTERM);
  return command_->Wait();
}

CommandResult AgentProcess::WaitForEnd() { return command_->Wait(); }

namespace {

std::string TextOf(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

std::string AgentProcess::Log() const { return TextOf(absl::StrCat(options_.directory, "/log")); }

std::string AgentProcess::Audit() const { return TextOf(state_dir() + "/audit.log"); }

// Gone with the agent: a channel that is not polled does not see that its server wants to go, nor
// that it went, and would fail the first call to the next one.
AgentStub& AgentProcess::stub() {
  if (!stub_) stub_ = std::make_unique<AgentStub>(socket());
  return *stub_;
}

}  // namespace shoal::testing
