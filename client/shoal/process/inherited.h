// What a process gets of this one where it is asked for: environment and working directory; and
// where this program finds its libraries.
//
// Thread-safety: thread-safe while no thread changes the environment.
// Blocking:      never blocks.
// Errors:        those of getcwd.
#ifndef SHOAL_CLIENT_SHOAL_PROCESS_INHERITED_H_
#define SHOAL_CLIENT_SHOAL_PROCESS_INHERITED_H_

#include "absl/status/status.h"
#include "shoal/process_options.h"
#include "shoal/v1/process.pb.h"

namespace shoal::internal {

// As inherit_env and inherit_cwd say; what `spec` has already wins.
absl::Status AddInherited(const ProcessOptions& options, v1::ProcessSpec* spec);

// For a start of this program on this machine: LD_LIBRARY_PATH, unless the spec has its own.
absl::Status AddLibraryPath(v1::ProcessSpec* spec);

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_PROCESS_INHERITED_H_
