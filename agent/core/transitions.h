// The states of a process and the only ways from one to another.
//
// Ownership:     stateless.
// Thread-safety: thread-safe, for entries of different threads.
// Blocking:      never blocks.
// Errors:        a way that is not in the table: false.
#ifndef SHOAL_AGENT_CORE_TRANSITIONS_H_
#define SHOAL_AGENT_CORE_TRANSITIONS_H_

#include "absl/strings/string_view.h"
#include "agent/core/model.h"

namespace shoal::agent {

bool MayBecome(State from, State to);

// Moves the entry if the table allows; false and unchanged otherwise. Staying is allowed and
// changes nothing.
bool Advance(ProcessEntry* process, State to);

absl::string_view NameOf(State state);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_TRANSITIONS_H_
