// The three start methods side by side: what does a process have of the program that asked for it?
//
//   spawn       a fresh image: nothing, not even what was read before
//   forkserver  a copy of a template: what SHOAL_PRELOAD has read
//   fork        a copy of a running process: all that it has read until now
//
// Python: get_context("spawn"), get_context("forkserver"), get_context("fork")
#include <cstdio>
#include <string>

#include "shoal/shoal.h"

std::string data = "nothing";

void ReadModel() { data = "the model"; }
SHOAL_PRELOAD(ReadModel);

// Reads a data set, then is forked once for each request; ends when it is terminated.
absl::Status Load() {
  data = "the data set";
  return shoal::OfferForks().status();
}
SHOAL_REGISTER_FUNCTION(Load);

absl::StatusOr<std::string> Look() { return data; }
SHOAL_REGISTER_FUNCTION(Look);

absl::Status Show(const char* method, shoal::Process& process) {
  if (absl::Status started = process.Start(); !started.ok()) return started;
  if (auto joined = process.Join(); !joined.ok()) return joined.status();
  std::printf("%s has %s\n", method, process.Result()->c_str());
  return absl::OkStatus();
}

absl::Status ShowAll(const shoal::FleetHost& host) {
  shoal::Context spawn(shoal::StartMethod::kSpawn, {.host = host.host});
  shoal::Context forkserver(shoal::StartMethod::kForkServer, {.host = host.host});
  shoal::Context fork(shoal::StartMethod::kFork, {.host = host.host, .fork_of = "loader"});

  if (absl::Status shown = Show("spawn", *spawn.NewProcess(Look)); !shown.ok()) return shown;
  if (absl::Status shown = Show("forkserver", *forkserver.NewProcess(Look)); !shown.ok()) {
    return shown;
  }
  shoal::Process loader(Load, {.name = "loader", .host = host.host});
  if (absl::Status started = loader.Start(); !started.ok()) return started;
  if (absl::Status shown = Show("fork", *fork.NewProcess(Look)); !shown.ok()) return shown;
  if (absl::Status ended = loader.Terminate(); !ended.ok()) return ended;
  loader.Join().IgnoreError();  // it says that the loader has returned nothing
  return absl::OkStatus();
}

int main(int argc, char** argv) {
  shoal::Init(&argc, &argv);
  absl::StatusOr<shoal::Fleet> fleet = shoal::Fleet::Connect();
  if (!fleet.ok()) return shoal::Fail(fleet.status());
  for (const shoal::FleetHost& host : fleet->hosts()) {
    if (absl::Status shown = ShowAll(host); !shown.ok()) return shoal::Fail(shown);
  }
}
