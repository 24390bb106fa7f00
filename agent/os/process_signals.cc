#include "agent/os/process_signals.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/os/descriptor.h"
#include "agent/os/procfs.h"
#include "common/signals.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr unsigned kSignalProcessGroup = 1u << 2;  // PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9

absl::Status HasExited() { return absl::FailedPreconditionError("process has exited"); }

absl::Status SendWithFlags(int pidfd, int signal, unsigned flags) {
  if (syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, flags) == 0) return absl::OkStatus();
  if (errno == ESRCH) return HasExited();
  return ErrnoStatus(errno, absl::StrCat("send ", SignalName(signal)));
}

bool IsZombie(int pid) {
  const std::optional<ProcStat> stat = ReadProcStat(pid);
  return stat && stat->state == 'Z';
}

absl::StatusOr<UniqueFd> OpenPidfd(int pid) {
  UniqueFd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (pidfd) return pidfd;
  if (errno == ESRCH) return absl::NotFoundError(absl::StrCat("process ", pid, " is gone"));
  return ErrnoStatus(errno, absl::StrCat("pidfd_open ", pid));
}

// For people NOT_FOUND would say that the process is unknown; it has exited.
absl::StatusOr<UniqueFd> OpenForSignal(int pid, uint64_t start_ticks) {
  if (pid <= 1) return HasExited();  // kill(2) means every process by -1
  absl::StatusOr<UniqueFd> pidfd = OpenProcess(pid, start_ticks);
  if (absl::IsNotFound(pidfd.status())) return HasExited();
  return pidfd;
}

}  // namespace

absl::StatusOr<UniqueFd> OpenProcess(int pid, uint64_t start_ticks) {
  SHOAL_ASSIGN_OR_RETURN(UniqueFd pidfd, OpenPidfd(pid));
  // After the open: if the process with this pid still has the start time, the pidfd is its.
  const std::optional<ProcStat> stat = ReadProcStat(pid);
  if (stat && stat->start_ticks == start_ticks) return pidfd;
  if (stat) return absl::NotFoundError(absl::StrCat("pid ", pid, " is another process now"));
  if (SendWithFlags(pidfd.get(), 0, 0).ok()) {
    return absl::UnavailableError(absl::StrCat("/proc does not show process ", pid));
  }
  return absl::NotFoundError(absl::StrCat("process ", pid, " is gone"));
}

absl::Status SendSignal(int pidfd, int signal) { return SendWithFlags(pidfd, signal, 0); }

absl::Status SignalProcess(int pid, uint64_t start_ticks, int signal) {
  SHOAL_ASSIGN_OR_RETURN(UniqueFd pidfd, OpenForSignal(pid, start_ticks));
  // The kernel takes signals for a zombie and drops them; its shim is about to reap it.
  if (IsZombie(pid)) return HasExited();
  return SendSignal(pidfd.get(), signal);
}

absl::Status SignalGroup(int pid, uint64_t start_ticks, int signal) {
  SHOAL_ASSIGN_OR_RETURN(UniqueFd pidfd, OpenForSignal(pid, start_ticks));
  const std::optional<ProcStat> stat = ReadProcStat(pid);
  if (!stat || stat->group != pid) {
    return absl::FailedPreconditionError(
        absl::StrCat("process ", pid, " does not lead a process group"));
  }
  absl::Status sent = SendWithFlags(pidfd.get(), signal, kSignalProcessGroup);
  if (!absl::IsInvalidArgument(sent)) return sent;
  // A kernel before 6.9. The leader was alive a moment ago, and until its shim reaps it the pid,
  // and so the group's number, cannot be reused.
  if (kill(-pid, signal) == 0) return absl::OkStatus();
  if (errno == ESRCH) return HasExited();
  return ErrnoStatus(errno, absl::StrCat("send ", SignalName(signal), " to group ", pid));
}

absl::Status SignalMembers(absl::FunctionRef<absl::StatusOr<std::vector<int>>()> members,
                           int signal) {
  std::vector<std::pair<int, UniqueFd>> open;
  SHOAL_ASSIGN_OR_RETURN(const std::vector<int> seen, members());
  for (int pid : seen) {
    absl::StatusOr<UniqueFd> pidfd = OpenPidfd(pid);
    if (pidfd.ok()) open.emplace_back(pid, *std::move(pidfd));
  }
  SHOAL_ASSIGN_OR_RETURN(const std::vector<int> still, members());
  absl::Status result = HasExited();
  for (const auto& [pid, pidfd] : open) {
    if (std::find(still.begin(), still.end(), pid) == still.end()) continue;
    const absl::Status sent = SendSignal(pidfd.get(), signal);
    if (sent.ok()) result = sent;
  }
  return result;
}

}  // namespace shoal::agent
