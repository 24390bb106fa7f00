// What a Spawn asks of others: a parent to be forked from, a process to run beside, its owner's share of
// this agent.
//
// Ownership:     stateless.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        as said at each function.
#ifndef SHOAL_AGENT_CORE_SPAWN_RULES_H_
#define SHOAL_AGENT_CORE_SPAWN_RULES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/core/commands.h"
#include "agent/core/core.h"

namespace shoal::agent {

// RESOURCE_EXHAUSTED: the owner has too much already, or would with these.
absl::Status CheckQuotas(const Core& core, const std::string& owner,
                         const std::vector<const SpawnItem*>& items);

// Where a FORK comes from; empty if it is no FORK. PERMISSION_DENIED: from another owner's process.
absl::StatusOr<std::string> ParentOf(const Core& core, const Permit& permit, const Spec& spec);

// The process beside which it is to run; null: none. FAILED_PRECONDITION: its end would not cover it.
absl::StatusOr<const ProcessEntry*> BesideOf(const Core& core, const Permit& permit,
                                             const Spec& spec);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_SPAWN_RULES_H_
