// One process per core, on every host of a fleet: all started, then all joined, then Run() called
// in the parent, where it is a method like any other.
//
// Python: [p.start() for p in ps]; [p.join() for p in ps]; p.run()
#include <cstdio>
#include <memory>
#include <vector>

#include "shoal/shoal.h"

class Simulate : public shoal::Process {
 public:
  using Process::Process;
  absl::Status Run() override {
    const shoal::ProcessInfo& me = shoal::CurrentProcess();
    std::printf("%s has PID %d on %s\n", me.name().c_str(), me.pid(), me.host().c_str());
    return absl::OkStatus();
  }
};
SHOAL_REGISTER_PROCESS(Simulate);

int main(int argc, char** argv) {
  shoal::Init(&argc, &argv);
  absl::StatusOr<shoal::Fleet> fleet = shoal::Fleet::Connect();
  if (!fleet.ok()) return shoal::Fail(fleet.status());

  std::vector<std::unique_ptr<Simulate>> processes;
  for (const shoal::Slot& slot : fleet->slots()) {
    processes.push_back(std::make_unique<Simulate>(shoal::ProcessOptions{.slot = slot}));
    absl::Status started = processes.back()->Start();
    if (!started.ok()) return shoal::Fail(started);
  }
  for (auto& process : processes) {
    if (auto joined = process->Join(); !joined.ok()) return shoal::Fail(joined.status());
  }
  std::printf("%zu processes have ended\n", processes.size());
  if (absl::Status here = Simulate().Run(); !here.ok()) return shoal::Fail(here);
}
