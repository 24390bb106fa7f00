// shoal-shim: parent, subreaper and output collector of one process. Started by the agent only;
// how they speak is agent/record/record_layout.h.
//
// Exit status: 0 when the record is final; 64 when started by hand; 65 when the slot has no agent
// half to work by.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "agent/record/adopting_shim.h"
#include "agent/shim/command.h"
#include "agent/shim/failpoint.h"
#include "agent/shim/record_slot.h"
#include "agent/shim/shim.h"

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
  // The memory of a shim holds the environment of its process until the start: no dump, and no other
  // program of this user reads it. execve makes the process dumpable again.
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_NAME, shoal::record::kShimName);  // started by descriptor, it would show as a number

  static shoal::shim::RecordSlot record;
  switch (record.Open(static_cast<uint32_t>(slot))) {
    case shoal::record::Reading::kIntact:
      break;
    case shoal::record::Reading::kPrefixOnly:
      return refuse(65, "shoal-shim: is older than the agent that started it\n");
    default:
      return refuse(65, "shoal-shim: the slot has no intact agent half\n");
  }
  pid_t adopted = 0;  // an id or a working directory is not called so
  if (argc == shoal::record::kShimArgs + 2 &&
      strcmp(argv[2], shoal::fork_protocol::kAdoptFlag) == 0)
    adopted = atoi(argv[3]);
  shoal::shim::Command command;
  if ((record.agent().flags & shoal::record::kHasPayload) != 0) {
    command.ReadPayload();
  } else if (adopted == 0) {
    command.TakeWords(argv + shoal::record::kShimArgs, record.agent().cwd_in_argv != 0);
  }
  shoal::shim::ArmFailpoint(command.env());
  shoal::shim::Reach("agent-read");
  shoal::shim::Shim shim(&record, &command, adopted);
  shim.Run();
  return 0;
}
