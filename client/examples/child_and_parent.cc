// A child and its parent: a function of this program becomes a process on each host, tells its name
// and that of its parent, and returns something.
//
// Python: p = Process(target=greet, args=("bob",)); p.start(); p.join()
#include <cstdio>
#include <string>

#include "shoal/shoal.h"

absl::StatusOr<std::string> Greet(const std::string& name) {
  std::printf("hello %s, I am %s, a child of %s\n", name.c_str(),
              shoal::CurrentProcess().name().c_str(), shoal::ParentProcess()->name().c_str());
  return "greeted " + name;
}
SHOAL_REGISTER_FUNCTION(Greet);

int main(int argc, char** argv) {
  shoal::Init(&argc, &argv);                                     // a child ends in here
  absl::StatusOr<shoal::Fleet> fleet = shoal::Fleet::Connect();  // $SHOAL_HOSTS, or this machine
  if (!fleet.ok()) return shoal::Fail(fleet.status());

  for (const shoal::FleetHost& host : fleet->hosts()) {
    shoal::Process child(Greet, "bob", {.host = host.host});
    if (absl::Status started = child.Start(); !started.ok()) return shoal::Fail(started);
    if (auto joined = child.Join(); !joined.ok()) return shoal::Fail(joined.status());
    std::printf("%s on %s has %s\n", child.name().c_str(), host.facts.name().c_str(),
                child.Result()->c_str());
  }
}
