// A child that would sleep for 20 s is terminated at once.
//
// Python: p.start(); p.terminate(); p.join(); p.exitcode == -signal.SIGTERM
#include <unistd.h>

#include <cstdio>

#include "shoal/shoal.h"

absl::Status SleepLong() {
  sleep(20);
  std::printf("this is never printed\n");
  return absl::OkStatus();
}
SHOAL_REGISTER_FUNCTION(SleepLong);

int main(int argc, char** argv) {
  shoal::Init(&argc, &argv);
  absl::StatusOr<shoal::Fleet> fleet = shoal::Fleet::Connect();
  if (!fleet.ok()) return shoal::Fail(fleet.status());

  for (const shoal::FleetHost& host : fleet->hosts()) {
    shoal::Process child(SleepLong, {.host = host.host});
    if (absl::Status started = child.Start(); !started.ok()) return shoal::Fail(started);
    std::printf("on %s: alive %d\n", host.facts.name().c_str(), child.IsAlive().value_or(false));
    if (absl::Status asked = child.Terminate(); !asked.ok()) return shoal::Fail(asked);
    child.Join().IgnoreError();  // it says that the child has returned nothing
    std::printf("on %s: alive %d, exit code %d\n", host.facts.name().c_str(),
                child.IsAlive().value_or(true), child.ExitCode().value_or(0));
  }
}
