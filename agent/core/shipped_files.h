// What the files beside a process mean for its start.
//
// Ownership:     stateless.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_SHIPPED_FILES_H_
#define SHOAL_AGENT_CORE_SHIPPED_FILES_H_

#include <string>

#include "agent/core/environment.h"
#include "agent/core/ports/shim_slots.h"
#include "agent/spec/spec.h"

namespace shoal::agent {

// `spec` as it is started with its files in `directory`: working directory, program, SHOAL_FILES,
// and the directories of its libraries in front of LD_LIBRARY_PATH. `env` is complete but for those.
void StartBesideFiles(const Spec& spec, const std::string& directory, ShimStart* start,
                      Environment* env);

// The spec with paths as they are on this host, to tell why it could not be started.
Spec AsStarted(const Spec& spec, const std::string& directory);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_SHIPPED_FILES_H_
