// EnsureAgent, step by step:
//   1. an agent answers: done                                    IsAnswering
//   2. the directory of the socket exists and is ours alone      MakePrivateDirectory
//   3. the lock beside the socket is taken; a command that waited for it does step 1 again
//   4. shoald is started in a session of its own                 SpawnApart
//   5. its one line on the readiness descriptor is waited for    AwaitReady
#include "client/cli/private_agent.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

// glibc 2.36 declares these without C linkage for C++.
extern "C" {
#include <sys/pidfd.h>
}

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cli/spawn_apart.h"
#include "common/boot_time.h"
#include "common/escape.h"
#include "common/private_directory.h"
#include "common/socket_trust.h"
#include "common/status.h"
#include "common/unique_fd.h"
#include "common/user_directories.h"

namespace shoal::cli {
namespace {

constexpr absl::Duration kReadyPatience = absl::Seconds(20);
constexpr int kReadyFd = 3;
constexpr size_t kMaxReadyBytes = 4096;

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string DirectoryOf(const std::string& path) {
  return std::filesystem::path(path).parent_path().string();
}

absl::StatusOr<UniqueFd> TakeLock(const std::string& path) {
  UniqueFd lock(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!lock) return ErrnoStatus(errno, absl::StrCat("cannot open the lock ", path));
  while (flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return ErrnoStatus(errno, absl::StrCat("cannot lock ", path));
  }
  return lock;
}

// What of our environment an agent needs; the rest, secrets among it, is none of its business.
std::vector<std::string> AgentEnvironment() {
  constexpr absl::string_view kNames[] = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ"};
  constexpr absl::string_view kPrefixes[] = {"XDG_",  "SHOAL_", "LC_",   "GRPC_",
                                             "ASAN_", "TSAN_",  "UBSAN_"};
  std::vector<std::string> kept;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    absl::string_view name =
        absl::string_view(*entry).substr(0, absl::string_view(*entry).find('='));
    bool keep = false;
    for (absl::string_view wanted : kNames) keep = keep || name == wanted;
    for (absl::string_view prefix : kPrefixes) keep = keep || absl::StartsWith(name, prefix);
    if (keep) kept.push_back(*entry);
  }
  return kept;
}

// A descriptor above those that the agent is given, closed on exec.
UniqueFd Lift(UniqueFd fd) { return UniqueFd(fcntl(fd.get(), F_DUPFD_CLOEXEC, 16)); }

// The last line that shoald wrote into its log from `begin` on; it says why it ended.
std::string LastLogLine(const std::string& path, off_t begin) {
  UniqueFd log(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text(kMaxReadyBytes, '\0');
  ssize_t size = log ? pread(log.get(), text.data(), text.size(), begin) : -1;
  text.resize(size > 0 ? static_cast<size_t>(size) : 0);
  std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipWhitespace());
  return lines.empty() ? "" : EscapeForMessage(lines.back(), 512);
}

// Reads the one line that shoald writes when it is ready or gives up.
absl::Status AwaitReady(int ready, const std::string& log_path, off_t log_begin) {
  std::string line;
  BootTime deadline = BootTime::Now() + kReadyPatience;
  while (!absl::StrContains(line, "\n") && line.size() < kMaxReadyBytes) {
    pollfd wait = {ready, POLLIN, 0};
    int milliseconds = static_cast<int>(absl::ToInt64Milliseconds(deadline - BootTime::Now()));
    int count = poll(&wait, 1, std::max(0, milliseconds));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      return absl::DeadlineExceededError(
          absl::StrCat("the agent that was started does not get ready; its log is ", log_path));
    }
    char bytes[512];
    ssize_t size = read(ready, bytes, sizeof(bytes));
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    line.append(bytes, static_cast<size_t>(size));
  }
  if (absl::StartsWith(line, "ready")) return absl::OkStatus();
  std::string why = EscapeForMessage(absl::StripAsciiWhitespace(line), 512);
  if (why.empty()) why = LastLogLine(log_path, log_begin);
  return absl::FailedPreconditionError(
      absl::StrCat("the agent ended before it was ready: ", why.empty() ? "it said nothing" : why,
                   " (log: ", log_path, ")"));
}

std::string DirectoryOfThisProgram() {
  std::error_code error;
  return DirectoryOf(std::filesystem::read_symlink("/proc/self/exe", error).string());
}

// What an agent that a command starts is told first.
std::vector<std::string> FirstFlags(const std::string& socket_path) {
  return {"--socket", socket_path, "--idle-exit", "10m", "--ready-fd", absl::StrCat(kReadyFd)};
}

absl::Status StartAgent(const std::string& socket_path,
                        const std::vector<std::string>& extra_flags) {
  SHOAL_ASSIGN_OR_RETURN(std::string program, FindAgentProgram(DirectoryOfThisProgram()));
  std::string log_path = AgentLogPath();
  SHOAL_RETURN_IF_ERROR(MakePrivateDirectory(DirectoryOf(log_path), "state directory"));
  UniqueFd log =
      Lift(UniqueFd(open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)));
  if (!log) return ErrnoStatus(errno, absl::StrCat("cannot open ", log_path));
  off_t log_begin = lseek(log.get(), 0, SEEK_END);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return ErrnoStatus(errno, "pipe2 for the agent's readiness");
  UniqueFd ready_in(ends[0]);
  UniqueFd ready_out = Lift(UniqueFd(ends[1]));
  std::vector<std::string> arguments = FirstFlags(socket_path);
  arguments.insert(arguments.begin(), program);
  arguments.insert(arguments.end(), extra_flags.begin(), extra_flags.end());
  static_assert(kReadyFd == 3);  // behind stdin, stdout and stderr
  const absl::StatusOr<pid_t> agent =
      SpawnApart({.path = program,
                  .words = std::move(arguments),
                  .environment = AgentEnvironment(),
                  .descriptors = {-1, log.get(), log.get(), ready_out.get()},
                  .is_at_root = true});
  if (!agent.ok()) {
    return absl::Status(agent.status().code(),
                        absl::StrCat("cannot start the agent ", agent.status().message()));
  }
  ready_out.Reset();
  return AwaitReady(ready_in.get(), log_path, log_begin);
}

}  // namespace

absl::StatusOr<bool> IsAnswering(const std::string& socket_path) {
  const absl::Status trusted = CheckSocketDirectory(socket_path);
  if (absl::IsUnavailable(trusted)) return false;
  SHOAL_RETURN_IF_ERROR(trusted);
  const absl::StatusOr<SocketListener> listener = FindListener(socket_path);
  if (!listener.ok()) return false;
  SHOAL_RETURN_IF_ERROR(CheckSocketPeer(listener->connection.get(), socket_path));
  return true;
}

absl::StatusOr<AgentHere> FindAgentHere() {
  AgentHere here;
  SHOAL_ASSIGN_OR_RETURN(here.address, LocalAddress());
  SHOAL_ASSIGN_OR_RETURN(here.is_answering, IsAnswering(here.address.unix_path));
  return here;
}

bool IsOwnAgent(const std::string& socket_path) {
  return geteuid() != 0 && socket_path == DefaultSocketPath();
}

absl::Status AgentIsAway(const std::string& socket_path, const std::string& state_directory) {
  if (socket_path == DefaultSocketPath()) {
    if (access(state_directory.c_str(), F_OK) != 0 && errno == ENOENT) {
      return absl::UnavailableError(absl::StrCat(
          "no agent is running on this machine, and none has left anything in ", state_directory,
          ": `shoal agent start` (or `systemctl start shoald`) starts one"));
    }
    return absl::UnavailableError(
        "the agent of this machine is not running; what it has started may live: `shoal agent "
        "start` (or `systemctl start shoald`) starts one that finds it, `shoald --terminate all` "
        "ends it without one");
  }
  const std::string socket = EscapeForMessage(socket_path, socket_path.size());
  return absl::UnavailableError(absl::StrCat(
      "no agent answers on unix:", socket,
      ", which SHOAL_AGENT names; what it has started may live: start it again with its flags "
      "(shoald --socket ",
      socket, " …), or end it without one: shoald --socket ", socket, " --terminate all"));
}

absl::StatusOr<bool> EnsureAgent(const std::string& socket_path,
                                 const std::vector<std::string>& extra_flags) {
  SHOAL_ASSIGN_OR_RETURN(bool is_answering, IsAnswering(socket_path));
  if (is_answering) return false;
  std::string directory = DirectoryOf(socket_path);
  SHOAL_RETURN_IF_ERROR(MakePrivateDirectory(directory, "directory of the socket"));
  SHOAL_ASSIGN_OR_RETURN(UniqueFd lock, TakeLock(absl::StrCat(directory, "/start.lock")));
  SHOAL_ASSIGN_OR_RETURN(is_answering, IsAnswering(socket_path));
  if (is_answering) return false;
  SHOAL_RETURN_IF_ERROR(StartAgent(socket_path, extra_flags));
  return true;
}

std::optional<std::vector<std::string>> ExtraFlagsOf(const std::vector<std::string>& command_line,
                                                     const std::string& socket_path) {
  const std::vector<std::string> first = FirstFlags(socket_path);
  if (command_line.size() <= first.size()) return std::nullopt;
  const auto begin = command_line.begin() + 1;
  if (!std::equal(first.begin(), first.end(), begin)) return std::nullopt;
  return std::vector<std::string>(begin + static_cast<ptrdiff_t>(first.size()), command_line.end());
}

absl::StatusOr<std::string> FindAgentProgram(const std::string& directory) {
  std::string named = Environment("SHOAL_SHOALD");
  if (!named.empty()) return named;
  std::vector<std::string> places = {directory, absl::StrCat(directory, "/../sbin")};
  for (absl::string_view place : absl::StrSplit(Environment("PATH"), ':')) {
    if (absl::StartsWith(place, "/")) places.emplace_back(place);
  }
  for (const std::string& place : places) {
    std::string program = absl::StrCat(place, "/shoald");
    if (access(program.c_str(), X_OK) == 0) return program;
  }
  return absl::NotFoundError(
      absl::StrCat("no agent runs on this machine, and there is no shoald to start one in ",
                   directory, ", ", directory, "/../sbin or PATH; SHOAL_SHOALD may name it"));
}

std::string AgentLogPath() { return absl::StrCat(StateDirectory(), "/shoald.log"); }

absl::Status EndAgent(const ListenerHandle& agent, absl::Duration patience) {
  const pid_t pid = agent.pid;
  const UniqueFd& handle = agent.pidfd;
  if (pidfd_send_signal(handle.get(), SIGTERM, nullptr, 0) != 0) {
    return ErrnoStatus(errno, absl::StrCat("cannot signal the agent with PID ", pid));
  }
  BootTime deadline = BootTime::Now() + patience;
  pollfd wait = {handle.get(), POLLIN, 0};
  for (;;) {
    int milliseconds = static_cast<int>(absl::ToInt64Milliseconds(deadline - BootTime::Now()));
    int count = poll(&wait, 1, std::max(0, milliseconds));
    if (count > 0) return absl::OkStatus();
    if (count < 0 && errno == EINTR) continue;
    return absl::DeadlineExceededError(absl::StrCat("the agent with PID ", pid, " has not ended ",
                                                    absl::FormatDuration(patience),
                                                    " after SIGTERM; its log is ", AgentLogPath()));
  }
}

}  // namespace shoal::cli
