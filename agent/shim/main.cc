// shoal-shim: parent, subreaper and output collector of a process, and of the next one after it if
// the agent wants that. Started by the agent only; how they speak is agent/record/record_layout.h,
// and of an idle shim agent/record/orders.h.
//
// Exit status: 0 when the record is final, or the agent has no more to do for it; 64 when started by hand; 65 when the slot has no agent
// half to work by.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "agent/record/adopting_shim.h"
#include "agent/shim/child.h"
#include "agent/shim/command.h"
#include "agent/shim/failpoint.h"
#include "agent/shim/orders.h"
#include "agent/shim/proc.h"
#include "agent/shim/record_slot.h"
#include "agent/shim/shim.h"

namespace shoal::shim {
namespace {

int Refuse(int status, const char* why) {
  [[maybe_unused]] ssize_t written = write(STDERR_FILENO, why, strlen(why));
  return status;
}

// Of this program. Returns the soft limit that it had.
uint64_t ForbidCoreDumps() {
  struct rlimit limit = {};
  getrlimit(RLIMIT_CORE, &limit);
  const uint64_t soft = limit.rlim_cur;
  limit.rlim_cur = 0;
  setrlimit(RLIMIT_CORE, &limit);
  return soft;
}

// What every process finds that this program will serve.
void Settle() {
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  UnignoreSignals();  // SIGCHLD ignored would have the kernel throw the exits away
  setsid();           // until here it was of the agent's session
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  // The memory of a shim holds the environment of its process until the start: no dump, and no other
  // program of this user reads it. execve makes the process dumpable again.
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_NAME, record::kShimName);  // started by descriptor, it would show as a number
}

// What is left of a process when its record is final: who it was, and whether another may follow.
struct Served {
  char id[record::kIdBytes];
  bool stays;
};

// One process, from the agent's half of its record to kFinal. All that belongs to it is made and
// destroyed in here.
Served Serve(Self* self, RecordSlot* slot, Command* command, pid_t adopted, int cgroup_fd) {
  ArmFailpoint(command->env());
  Reach("agent-read");
  Shim(self, slot, command, adopted, cgroup_fd).Run();
  Served served = {{}, (slot->shim().flags & record::kStays) != 0};
  memcpy(served.id, slot->shim().prefix.id, sizeof(served.id));
  return served;
}

// The process that this program was started for.
int ServeFirst(Self* self, int argc, char** argv, Served* served) {
  RecordSlot slot(self->slot);
  switch (slot.Open()) {
    case record::Reading::kIntact:
      break;
    case record::Reading::kPrefixOnly:
      return Refuse(65, "shoal-shim: is older than the agent that started it\n");
    default:
      return Refuse(65, "shoal-shim: the slot has no intact agent half\n");
  }
  pid_t adopted = 0;  // an id or a working directory is not called so
  if (argc == record::kShimArgs + 2 && strcmp(argv[2], fork_protocol::kAdoptFlag) == 0) {
    adopted = atoi(argv[3]);
  }
  Command command;
  if ((slot.agent().flags & record::kHasPayload) != 0) {
    command.ReadPayload(record::kPayloadFd);
  } else if (adopted == 0) {
    command.TakeWords(argv + record::kShimArgs, slot.agent().cwd_in_argv != 0);
  }
  const bool has_cgroup = (slot.agent().flags & record::kNoCgroup) == 0;
  *served = Serve(self, &slot, &command, adopted, has_cgroup ? record::kCgroupFd : -1);
  return 0;
}

// The one that an order names. False, and this program ends: the record does not say the same, or no
// process may follow this one.
bool ServeNext(Self* self, const Order& order, Title* title, Served* served) {
  RecordSlot slot(self->slot);
  if (slot.Open() != record::Reading::kIntact) return false;
  if (memcmp(slot.agent().prefix.id, order.id(), record::kIdBytes) != 0) return false;
  title->Show(order.id(), record::kIdBytes, order.name());
  Command command;
  if (order.payload_size != 0) {
    command.TakePayload(order.payload_size);
  } else {
    command.ReadPayload(order.payload_fd);
  }
  *served = Serve(self, &slot, &command, 0, order.cgroup_fd);
  return served->stays;
}

void ShowIdle(const Self& self, RecordSlot* slot, Title* title) {
  title->Show(record::kIdleTitle, strlen(record::kIdleTitle), "");
  slot->BecomeIdle(self.start_ticks);
  slot->Write();
}

// Only once the outcome of the last process is stored the half that has it goes.
void Reset(const Self& self, const Served& last, Title* title) {
  RecordSlot slot(self.slot);
  if (!slot.IsFreedBy(last.id)) return;
  Reach("freed");
  ShowIdle(self, &slot, title);
  Reach("idle");
}

// Until the agent has ended, or lets this shim go.
void ServeOrders(Self* self, Served last, Title* title) {
  for (;;) {
    Reach("over");
    const Order order = AwaitOrder(Command::PayloadRoom());
    if (order.kind == Order::kFreed) Reset(*self, last, title);
    if (order.kind == Order::kStart && !ServeNext(self, order, title, &last)) return;
    if (order.kind == Order::kClosed) break;
  }
  RecordSlot slot(self->slot);
  if (slot.IsEmpty()) slot.Erase();
}

// Until the first order this program has served no process. The agent gives it none unless it is
// told.
Served BeginIdle(Self* self, Title* title) {
  self->start_ticks = StatField(getpid(), 22);
  RecordSlot slot(self->slot);
  ShowIdle(*self, &slot, title);
  slot.Publish();
  return {{}, true};
}

}  // namespace
}  // namespace shoal::shim

int main(int argc, char** argv) {
  const unsigned long slot = argc < shoal::record::kShimArgs ? 0 : strtoul(argv[1], nullptr, 10);
  if (slot == 0 || slot > UINT32_MAX) {
    return shoal::shim::Refuse(64, "shoal-shim: is started by shoald only\n");
  }
  shoal::shim::Settle();
  shoal::shim::Self self = {static_cast<uint32_t>(slot), shoal::shim::ForbidCoreDumps(), 0};
  shoal::shim::Title title(argc, argv);
  shoal::shim::Served served = {};
  if (title.has_room() && strcmp(argv[2], shoal::record::kIdleFlag) == 0) {
    served = shoal::shim::BeginIdle(&self, &title);
  } else if (const int refused = shoal::shim::ServeFirst(&self, argc, argv, &served);
             refused != 0) {
    return refused;
  }
  if (served.stays) shoal::shim::ServeOrders(&self, served, &title);
  return 0;
}
