#include "shoal/outcome.h"

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "common/escape.h"
#include "common/signals.h"

namespace shoal {
namespace {

constexpr int kShellFailure = 1;
constexpr int kShellUnknown = 70;
constexpr int kShellTryAgain = 75;
constexpr int kShellTimeLimit = 124;
constexpr int kShellNotExecutable = 126;
constexpr int kShellNotFound = 127;
constexpr int kShellNotStarted = 125;

// Of what the host is short of, or what another program holds: the same start may succeed later.
bool IsTransient(int error_number) {
  switch (error_number) {
    case EAGAIN:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ENOSPC:
    case ETXTBSY:
    case ECONNRESET:
      return true;
    default:
      return false;
  }
}

std::string HowItEnded(const v1::ExitStatus& exit) {
  if (exit.has_code()) return absl::StrCat("exited with code ", exit.code());
  return absl::StrCat("ended by ", SignalName(exit.signal()),
                      exit.core_dumped() ? " (core dumped)" : "");
}

std::string WhyItEnded(const v1::ExitStatus& exit) {
  std::string who = exit.requested_by().empty()
                        ? ""
                        : absl::StrCat(" of ", EscapeForMessage(exit.requested_by()));
  switch (exit.cause()) {
    case v1::CAUSE_TERMINATED:
      return absl::StrCat(" on request", who);
    case v1::CAUSE_TIME_LIMIT:
      return " at its time limit";
    case v1::CAUSE_SESSION_CLOSED:
      return " when its session was closed";
    case v1::CAUSE_SESSION_EXPIRED:
      return " when its session had lapsed";
    case v1::CAUSE_DEAD_MAN:
      return " because neither client nor agent was there any more";
    default:
      return "";
  }
}

}  // namespace

bool HasFlag(const v1::Process& process, v1::Flag flag) {
  return std::find(process.flags().begin(), process.flags().end(), flag) != process.flags().end();
}

bool HasEnded(const v1::Process& process) {
  return process.state() == v1::STATE_EXITED || process.state() == v1::STATE_FAILED_TO_START ||
         process.state() == v1::STATE_LOST;
}

bool WasCutShort(const v1::Process& process) {
  const v1::Cause cause = process.exit().cause();
  return cause == v1::CAUSE_TIME_LIMIT || cause == v1::CAUSE_SESSION_EXPIRED ||
         cause == v1::CAUSE_DEAD_MAN;
}

bool Succeeded(const v1::Process& process) {
  return process.state() == v1::STATE_EXITED && process.exit().has_code() &&
         process.exit().code() == 0 && !WasCutShort(process);
}

std::optional<int> PythonExitCode(const v1::Process& process) {
  if (!HasEnded(process)) return std::nullopt;
  if (process.exit().has_code()) return process.exit().code();
  if (process.exit().has_signal()) return -process.exit().signal();
  return std::nullopt;
}

int ShellExitStatus(const v1::Process& process) {
  if (process.state() == v1::STATE_FAILED_TO_START) {
    if (IsTransient(process.start_failure().error_number())) return kShellTryAgain;
    if (process.start_failure().stage() != "execve") return kShellNotStarted;
    return process.start_failure().error_number() == ENOENT ? kShellNotFound : kShellNotExecutable;
  }
  if (process.exit().cause() == v1::CAUSE_TIME_LIMIT) return kShellTimeLimit;
  if (process.exit().has_code()) {
    if (process.exit().code() == 0 && WasCutShort(process)) return kShellFailure;
    return process.exit().code();
  }
  if (process.exit().has_signal()) return 128 + process.exit().signal();
  return kShellUnknown;
}

std::string DescribeOutcome(const v1::Process& process) {
  if (process.state() == v1::STATE_FAILED_TO_START) {
    return absl::StrCat("did not start: ",
                        EscapeForMessage(process.start_failure().message(), 512));
  }
  if (!HasEnded(process)) return "has not ended";
  const v1::ExitStatus& exit = process.exit();
  if (!exit.has_code() && !exit.has_signal()) {
    std::string detail = exit.unknown().detail();
    if (detail.empty()) detail = "the host did not say why";
    return absl::StrCat("ended in a way that cannot be known: ", EscapeForMessage(detail, 512));
  }
  if (exit.cause() == v1::CAUSE_OUT_OF_MEMORY) return "killed by the kernel, out of memory";
  return absl::StrCat(HowItEnded(exit), WhyItEnded(exit));
}

}  // namespace shoal
