// Specs from and to messages. What comes from the wire goes through every check that needs no state;
// tests/README.md has the answers, "Wire and API input" and "Spawn input".
//
// Ownership:     stateless.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        INVALID_ARGUMENT names the field and the reason, user bytes escaped.
#ifndef SHOAL_AGENT_SPEC_SPEC_CONVERSION_H_
#define SHOAL_AGENT_SPEC_SPEC_CONVERSION_H_

#include <memory>

#include "absl/status/statusor.h"
#include "agent/spec/spec.h"
#include "agent/spec/spec_checks.h"
#include "shoal/v1/process.pb.h"

namespace shoal::agent {

// Checks and fills in the defaults; `has_session` decides what an unspecified lifetime means.
absl::StatusOr<std::shared_ptr<const Spec>> ToSpec(const v1::ProcessSpec& proto, bool has_session,
                                                   const SpecLimits& limits);

// The same without the checks, for this room: of what was checked before, or made by the agent.
absl::StatusOr<std::shared_ptr<const Spec>> BuildSpec(v1::ProcessSpec proto, bool has_session);

// How much of a spec is told. Environments hold secrets and are long: only Get shows them, and their
// values on request alone.
enum class SpecView { kWithoutEnv, kWithEnvNames, kFull };

// As it was when the process was started.
void SetSpec(const Spec& spec, SpecView view, v1::ProcessSpec* proto);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_SPEC_SPEC_CONVERSION_H_
