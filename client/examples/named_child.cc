// A child that was given a name, and prints it. Its own child, which was not, is called after it.
//
// Python: Process(target=introduce, name="worker 1")
#include <cstdio>
#include <string>

#include "shoal/shoal.h"

absl::Status Introduce(const std::string& generations) {
  std::printf("my name is %s\n", shoal::CurrentProcess().name().c_str());
  if (generations == "1") return absl::OkStatus();
  shoal::Process grandchild(Introduce, "1");  // on the child's own host
  if (absl::Status started = grandchild.Start(); !started.ok()) return started;
  return grandchild.Join().status();
}
SHOAL_REGISTER_FUNCTION(Introduce);

int main(int argc, char** argv) {
  shoal::Init(&argc, &argv);
  absl::StatusOr<shoal::Fleet> fleet = shoal::Fleet::Connect();
  if (!fleet.ok()) return shoal::Fail(fleet.status());

  for (const shoal::FleetHost& host : fleet->hosts()) {
    shoal::Process child(Introduce, "2", {.name = "worker", .host = host.host});
    if (absl::Status started = child.Start(); !started.ok()) return shoal::Fail(started);
    if (auto joined = child.Join(); !joined.ok()) return shoal::Fail(joined.status());
  }
}
