// shoal-shim: parent, sub-reaper and output collector of one process. Started by the agent only;
// how they speak is agent/record/record_layout.h.
//
// Exit status: 0 when the record is final; 64 when started by hand; 65 when the slot has no agent
// half to work by.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/shim/failpoint.h"
#include "agent/shim/record_slot.h"
#include "agent/shim/supervisor.h"

int main(int argc, char** argv) {
  const auto refuse = [](int status, const char* why) {
    [[maybe_unused]] ssize_t written = write(STDERR_FILENO, why, strlen(why));
    return status;
  };
  const unsigned long slot = argc < shoal::record::kShimArgs ? 0 : strtoul(argv[1], nullptr, 10);
  if (slot == 0 || slot > UINT32_MAX) return refuse(64, "shoal-shim: is started by shoald only\n");

  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  signal(SIGCHLD, SIG_DFL);  // ignored, it would have the kernel throw the exits away
  setsid();                  // fails if the agent's posix_spawn has done it
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_NAME, "shoal-shim");  // started by descriptor, it would show as a number
  shoal::shim::ArmFailpoint();

  static shoal::shim::RecordSlot record;
  if (!record.Open(static_cast<uint32_t>(slot))) {
    return refuse(65, "shoal-shim: the slot has no intact agent half of this version\n");
  }
  shoal::shim::Reach("agent-read");
  char** process_argv = argv + shoal::record::kShimArgs;
  const char* cwd = nullptr;
  pid_t adopted = 0;  // a working directory is absolute: this can be none
  if (argc == shoal::record::kShimArgs + 2 &&
      strcmp(argv[2], shoal::fork_protocol::kAdoptFlag) == 0)
    adopted = atoi(argv[3]);
  if (record.agent().cwd_in_argv && *process_argv != nullptr) cwd = *process_argv++;
  shoal::shim::Supervisor supervisor(&record, process_argv, cwd, adopted);
  supervisor.Run();
  return 0;
}
