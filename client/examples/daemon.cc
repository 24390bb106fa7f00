// A daemon that ends with its program, while another process outlives it.
//
// "Daemon" means two things. In Python: not waited for, but ended, when the program ends (.daemon).
// In Unix: no longer of this program at all (.detached).
//
// Python: Process(target=idle, daemon=True).start()
#include <unistd.h>

#include <cstdio>

#include "shoal/shoal.h"

absl::Status Idle() {
  std::printf("%s is a %s\n", shoal::CurrentProcess().name().c_str(),
              shoal::CurrentProcess().daemon() ? "daemon" : "process of its own");
  while (true) pause();
}
SHOAL_REGISTER_FUNCTION(Idle);

int main(int argc, char** argv) {
  shoal::Init(&argc, &argv);
  absl::StatusOr<shoal::Fleet> fleet = shoal::Fleet::Connect();
  if (!fleet.ok()) return shoal::Fail(fleet.status());

  for (const shoal::FleetHost& host : fleet->hosts()) {
    shoal::Process daemon(Idle, {.name = "daemon", .daemon = true, .host = host.host});
    shoal::Process survivor(Idle, {.name = "survivor", .detached = true, .host = host.host});
    if (absl::Status started = daemon.Start(); !started.ok()) return shoal::Fail(started);
    if (absl::Status started = survivor.Start(); !started.ok()) return shoal::Fail(started);
    std::printf("on %s: the daemon has PID %d, the survivor %d\n", host.facts.name().c_str(),
                daemon.Pid(), survivor.Pid());
  }
  std::printf("the program ends; `shoal ps` shows who is left, `shoal stop survivor` ends it\n");
}
