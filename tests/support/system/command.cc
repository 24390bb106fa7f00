#include "tests/support/system/command.h"

#include <errno.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"

namespace shoal::testing {
namespace {

// Everything that the child needs, made before the fork: behind it only async-signal-safe calls are
// allowed, for gRPC may have threads here.
struct ChildPlan {
  std::vector<std::string> env;
  std::vector<char*> argv_pointers;
  std::vector<char*> env_pointers;
  int out = -1;
  int err = -1;
  int null = -1;
};

[[noreturn]] void FailInChildAsyncSafe(const char* what) {
  [[maybe_unused]] ssize_t written = write(2, what, strlen(what));
  written = write(2, ": failed before the exec\n", 25);
  _exit(127);
}

[[noreturn]] void BecomeCommandAsyncSafe(const ChildPlan& plan, const CommandOptions& options) {
  if (dup2(options.stdin_fd < 0 ? plan.null : options.stdin_fd, 0) < 0 || dup2(plan.out, 1) < 0 ||
      dup2(plan.err, 2) < 0)
    _exit(127);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (options.own_group && setpgid(0, 0) != 0) FailInChildAsyncSafe("setpgid");
  for (int name_space : options.namespaces) {
    if (setns(name_space, 0) != 0) FailInChildAsyncSafe("setns");
  }
  if (chdir(options.cwd.c_str()) != 0) FailInChildAsyncSafe("chdir");
  if (options.inherited >= 0 && fcntl(options.inherited, F_SETFD, 0) != 0) {
    FailInChildAsyncSafe("fcntl of the inherited descriptor");
  }
  execve(plan.argv_pointers[0], plan.argv_pointers.data(), plan.env_pointers.data());
  FailInChildAsyncSafe(plan.argv_pointers[0]);
}

void SetBlocking(int fd, bool blocking) {
  const int flags = fcntl(fd, F_GETFL);
  fcntl(fd, F_SETFL, blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK);
}

}  // namespace

std::ostream& operator<<(std::ostream& stream, const CommandResult& result) {
  return stream << "exit code " << result.exit_code << "\nstdout: " << result.out
                << "\nstderr: " << result.err;
}

RunningCommand::RunningCommand(std::vector<std::string> argv, const CommandOptions& options)
    : argv_(std::move(argv)) {
  ChildPlan plan;
  for (std::string& word : argv_) plan.argv_pointers.push_back(word.data());
  for (const auto& [key, value] : options.env) plan.env.push_back(absl::StrCat(key, "=", value));
  for (std::string& word : plan.env) plan.env_pointers.push_back(word.data());
  plan.argv_pointers.push_back(nullptr);
  plan.env_pointers.push_back(nullptr);

  UniqueFd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
  int out[2] = {-1, -1};
  int err[2] = {-1, -1};
  UniqueFd log;
  if (options.log_path.empty()) {
    if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
      ADD_FAILURE() << "pipe2: " << strerror(errno);
      return;
    }
  } else {
    log = UniqueFd(open(options.log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    out[1] = err[1] = log.get();
  }
  plan.null = null.get();
  plan.out = out[1];
  plan.err = err[1];
  pid_ = fork();
  if (pid_ == 0) BecomeCommandAsyncSafe(plan, options);
  if (pid_ < 0) ADD_FAILURE() << "fork: " << strerror(errno);
  if (options.log_path.empty()) {
    close(out[1]);
    close(err[1]);
    out_pipe_ = UniqueFd(out[0]);
    err_pipe_ = UniqueFd(err[0]);
    SetBlocking(out[0], false);
    SetBlocking(err[0], false);
  }
  if (pid_ > 0) {
    if (options.own_group) setpgid(pid_, pid_);  // the child does it, too: either may come first
    pidfd_ = UniqueFd(static_cast<int>(syscall(SYS_pidfd_open, pid_, 0)));
  }
}

RunningCommand::~RunningCommand() {
  if (!IsRunning()) return;
  if (!timed_out_) ADD_FAILURE() << "still running at the end of the test: " << Describe();
  Signal(SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void RunningCommand::Signal(int signal_number) const {
  if (IsRunning()) kill(pid_, signal_number);
}

void RunningCommand::SignalGroup(int signal_number) const {
  if (IsRunning()) kill(-pid_, signal_number);
}

bool RunningCommand::ReadSome(UniqueFd& pipe, std::string& into) {
  char buffer[65536];
  const ssize_t count = read(pipe.get(), buffer, sizeof(buffer));
  if (count > 0) {
    into.append(buffer, static_cast<size_t>(count));
    return true;
  }
  if (count == 0 || errno != EAGAIN) pipe.Reset();
  return false;
}

bool RunningCommand::Step(absl::Time deadline) {
  if (pid_ < 0) return false;
  std::vector<pollfd> fds;
  if (out_pipe_) fds.push_back({out_pipe_.get(), POLLIN, 0});
  if (err_pipe_) fds.push_back({err_pipe_.get(), POLLIN, 0});
  if (!reaped_) fds.push_back({pidfd_.get(), POLLIN, 0});
  if (fds.empty()) return false;
  const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
  if (left <= 0 || poll(fds.data(), fds.size(), static_cast<int>(left)) == 0) {
    timed_out_ = true;
    return false;
  }
  if (out_pipe_) ReadSome(out_pipe_, result_.out);
  if (err_pipe_) ReadSome(err_pipe_, result_.err);
  if (reaped_ || fds.back().revents == 0) return true;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) == pid_) {
    reaped_ = true;
    result_.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    result_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return true;
}

CommandResult RunningCommand::Wait() {
  const absl::Time deadline = absl::Now() + kDeadline;
  while (Step(deadline)) {
  }
  if (timed_out_) ADD_FAILURE() << "the deadline passed waiting for " << Describe();
  return result_;
}

bool RunningCommand::WaitForText(absl::string_view text, const std::string& in) {
  const absl::Time deadline = absl::Now() + kDeadline;
  do {
    if (absl::StrContains(in, text)) return true;
  } while (Step(deadline));
  ADD_FAILURE() << "\"" << text << "\" was never printed by " << Describe();
  return false;
}

bool RunningCommand::WaitForOutput(absl::string_view text) {
  return WaitForText(text, result_.out);
}
bool RunningCommand::WaitForError(absl::string_view text) { return WaitForText(text, result_.err); }

std::string RunningCommand::Describe() const {
  return absl::StrCat(absl::StrJoin(argv_, " "), " (PID ", pid_, reaped_ ? ", ended" : ", running",
                      out_pipe_ ? ", stdout open" : "", err_pipe_ ? ", stderr open" : "",
                      ")\nstdout: ", result_.out, "\nstderr: ", result_.err);
}

CommandResult RunProgram(std::vector<std::string> argv, const CommandOptions& options) {
  RunningCommand command(std::move(argv), options);
  return command.Wait();
}

bool RunTool(std::vector<std::string> argv, std::vector<int> namespaces) {
  CommandOptions options;
  options.env["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin";
  options.namespaces = std::move(namespaces);
  argv.insert(argv.begin(), "/usr/bin/env");
  const CommandResult result = RunProgram(argv, options);
  EXPECT_EQ(result.exit_code, 0) << absl::StrJoin(argv, " ") << "\n" << result;
  return result.exit_code == 0;
}

namespace internal {

void Pause() { poll(nullptr, 0, 1); }
void FailWaiting(absl::string_view what) {
  ADD_FAILURE() << "the deadline passed waiting for: " << what;
}
absl::Time DeadlineFromNow() { return absl::Now() + kDeadline; }
bool IsPast(absl::Time deadline) { return absl::Now() > deadline; }

}  // namespace internal
}  // namespace shoal::testing
