// The program `shoal`: runs one command line, and ends with its exit status.
#include <unistd.h>

#include <cstdlib>

#include "client/cli/command_line.h"
#include "client/cli/leaving.h"
#include "common/deadlock_checks.h"
#include "common/standard_descriptors.h"

int main(int argc, char** argv) {
  shoal::OpenMissingDescriptors();
  // gRPC's own log lines say again, and worse, what the command says in one line.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  shoal::SkipDeadlockChecks();
  int status = shoal::cli::RunCommandLine({argv + 1, argv + argc});
  if (shoal::cli::SignalToDieOf() != 0) shoal::cli::DieBySignal(shoal::cli::SignalToDieOf());
  // Everything is written, closed and proven; tearing down gRPC's threads would only take time.
  _exit(status);
}
