// The spec of a process that runs beside another one, with what it has from that.
//
// Ownership:     a new value.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_SPEC_BESIDE_SPEC_H_
#define SHOAL_AGENT_SPEC_BESIDE_SPEC_H_

#include <memory>
#include <string>

#include "agent/spec/spec.h"

namespace shoal::agent {

// `spec` beside the process `id`, whose spec is `other`: the environment of that one goes before its own, and so does its
// directory where it has none.
std::shared_ptr<const Spec> BesideSpec(const Spec& spec, const std::string& id, const Spec& other);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_SPEC_BESIDE_SPEC_H_
