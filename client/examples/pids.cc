// A parent and its child print their PIDs: each its own, and what it knows of the other.
//
// Python: print(os.getpid(), os.getppid()); p.pid
#include <cstdio>

#include "shoal/shoal.h"

absl::Status PrintPids() {
  std::printf("child: my PID is %d, that of my parent %d\n", shoal::CurrentProcess().pid(),
              shoal::ParentProcess()->pid());
  return absl::OkStatus();
}
SHOAL_REGISTER_FUNCTION(PrintPids);

int main(int argc, char** argv) {
  shoal::Init(&argc, &argv);
  absl::StatusOr<shoal::Fleet> fleet = shoal::Fleet::Connect();
  if (!fleet.ok()) return shoal::Fail(fleet.status());

  for (const shoal::FleetHost& host : fleet->hosts()) {
    shoal::Process child(PrintPids, {.host = host.host});
    if (absl::Status started = child.Start(); !started.ok()) return shoal::Fail(started);
    if (auto joined = child.Join(); !joined.ok()) return shoal::Fail(joined.status());
    std::printf("parent: my PID is %d, that of my child on %s was %d\n",
                shoal::CurrentProcess().pid(), host.facts.name().c_str(), child.Pid());
  }
}
