// The current process: its name and place, asked in the program and in its children.
//
// Python: current_process().pid, current_process().name
#include <cstdio>

#include "shoal/shoal.h"

absl::Status WhoAmI() {
  const shoal::ProcessInfo& me = shoal::CurrentProcess();
  std::printf("%s has PID %d on %s, with %d cores\n", me.name().c_str(), me.pid(),
              me.host().c_str(), shoal::CpuCount());
  return absl::OkStatus();
}
SHOAL_REGISTER_FUNCTION(WhoAmI);

int main(int argc, char** argv) {
  shoal::Init(&argc, &argv);
  absl::StatusOr<shoal::Fleet> fleet = shoal::Fleet::Connect();
  if (!fleet.ok()) return shoal::Fail(fleet.status());

  WhoAmI().IgnoreError();  // a function like any other
  for (const shoal::FleetHost& host : fleet->hosts()) {
    shoal::Process child(WhoAmI, {.host = host.host});
    if (absl::Status started = child.Start(); !started.ok()) return shoal::Fail(started);
    if (auto joined = child.Join(); !joined.ok()) return shoal::Fail(joined.status());
  }
}
