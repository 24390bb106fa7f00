// What the halves of a record say of a process, as nouns of the agent.
//
// Ownership:     none.
// Thread-safety: plain functions.
// Blocking:      never blocks.
// Errors:        none; what a half does not have is absent.
#ifndef SHOAL_AGENT_CORE_RECORD_FACTS_H_
#define SHOAL_AGENT_CORE_RECORD_FACTS_H_

#include <cstdint>
#include <optional>

#include "agent/core/model.h"
#include "agent/record/record_layout.h"

namespace shoal::agent {

// kNone for an end that is no cause of the main process's exit.
Cause CauseOf(record::EndCause end);

// The exit. `process` tells a signal sent on request from one of another, and who asked for its end.
Exit ExitOf(const record::ShimHalf& shim, const ProcessEntry& process, bool out_of_memory);

// The first end that was asked for; absent if none was, or the agent that asked did not note it.
std::optional<Termination> AskedEndOf(const record::AgentHalf& half);

// What outlived the main process; absent if nothing was seen.
std::optional<Descendants> DescendantsOf(const record::ShimHalf& shim);

// Sets the bit if wanted; true if that changed anything.
bool Raise(uint32_t* flags, uint32_t flag, bool wanted);

// Tells the shim of a process that has no session any more: no client reads the output, so that the shim must not wait
// for that, and no client is missed.
void BecomeDetached(record::AgentHalf& half);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_RECORD_FACTS_H_
