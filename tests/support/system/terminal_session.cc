#include "tests/support/system/terminal_session.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/boot_time.h"

namespace shoal::testing {
namespace {

[[noreturn]] void BecomeProgramAsyncSafe(int slave, char** argv, char** env, const char* cwd) {
  setsid();
  if (ioctl(slave, TIOCSCTTY, 0) != 0) _exit(127);
  for (int fd : {0, 1, 2}) dup2(slave, fd);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  for (int number : {SIGPIPE, SIGINT, SIGQUIT, SIGTSTP, SIGTTIN, SIGTTOU}) signal(number, SIG_DFL);
  if (chdir(cwd) != 0) _exit(127);
  execve(argv[0], argv, env);
  _exit(127);
}

std::vector<char*> Pointers(std::vector<std::string>* words) {
  std::vector<char*> pointers;
  for (std::string& word : *words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

TerminalSession::TerminalSession(std::vector<std::string> argv, const CommandOptions& options,
                                 int rows, int columns)
    : master_(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK)) {
  EXPECT_EQ(grantpt(master_.get()), 0);
  EXPECT_EQ(unlockpt(master_.get()), 0);
  // Held, so that its modes can be looked at when the program has ended.
  slave_ = UniqueFd(open(ptsname(master_.get()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  Resize(rows, columns);
  std::vector<std::string> variables;
  for (const auto& [key, value] : options.env) variables.push_back(absl::StrCat(key, "=", value));
  const std::vector<char*> argv_pointers = Pointers(&argv);
  const std::vector<char*> env_pointers = Pointers(&variables);
  pid_ = fork();
  if (pid_ == 0) {
    BecomeProgramAsyncSafe(slave_.get(), const_cast<char**>(argv_pointers.data()),
                           const_cast<char**>(env_pointers.data()), options.cwd.c_str());
  }
  EXPECT_GT(pid_, 0);
}

TerminalSession::~TerminalSession() {
  if (pid_ <= 0 || status_ >= 0) return;
  ADD_FAILURE() << "the program at the terminal still runs; it showed:\n" << shown_;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void TerminalSession::Resize(int rows, int columns) {
  const winsize size = {static_cast<unsigned short>(rows), static_cast<unsigned short>(columns), 0,
                        0};
  EXPECT_EQ(ioctl(master_.get(), TIOCSWINSZ, &size), 0);
}

void TerminalSession::Type(absl::string_view keys) {
  while (!keys.empty()) {
    const ssize_t typed = write(master_.get(), keys.data(), keys.size());
    if (typed > 0) keys.remove_prefix(static_cast<size_t>(typed));
    if (typed < 0 && errno != EAGAIN && errno != EINTR) {
      ADD_FAILURE() << "type: " << errno;
      return;
    }
    if (typed < 0) ReadSome(10);
  }
}

void TerminalSession::HangUp() { kill(pid_, SIGHUP); }

bool TerminalSession::ReadSome(int timeout_ms) {
  pollfd ready = {master_.get(), POLLIN, 0};
  if (poll(&ready, 1, timeout_ms) <= 0) return true;
  char bytes[4096];
  const ssize_t got = read(master_.get(), bytes, sizeof(bytes));
  if (got > 0) shown_.append(bytes, static_cast<size_t>(got));
  return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

bool TerminalSession::AwaitText(const std::string& text) {
  const BootTime deadline = BootTime::Now() + kDeadline;
  while (true) {
    const size_t found = shown_.find(text, looked_);
    if (found != std::string::npos) {
      looked_ = found + text.size();
      return true;
    }
    if (BootTime::Now() > deadline || !ReadSome(100)) {
      ADD_FAILURE() << "\"" << text << "\" was not shown, but:\n" << shown_.substr(looked_);
      return false;
    }
  }
}

int TerminalSession::Wait() {
  const BootTime deadline = BootTime::Now() + kDeadline;
  while (waitpid(pid_, &status_, WNOHANG) == 0) {
    if (BootTime::Now() > deadline) {
      ADD_FAILURE() << "it does not end; it showed:\n" << shown_.substr(looked_);
      kill(pid_, SIGKILL);
      waitpid(pid_, &status_, 0);
      break;
    }
    ReadSome(10);
  }
  for (size_t before = SIZE_MAX; before != shown_.size();) {
    before = shown_.size();
    ReadSome(0);
  }
  return WIFSIGNALED(status_) ? 128 + WTERMSIG(status_) : WEXITSTATUS(status_);
}

termios TerminalSession::modes() const {
  termios modes = {};
  EXPECT_EQ(tcgetattr(slave_.get(), &modes), 0);
  return modes;
}

}  // namespace shoal::testing
