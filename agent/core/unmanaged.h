// Processes whose record only a newer agent can read.
//
// Ownership:     functions over the core's state.
// Thread-safety: loop thread only.
// Blocking:      TakeOverUnmanaged reads the directory of the output files.
// Errors:        FAILED_PRECONDITION, from CheckManaged alone.
//
// An unmanaged process keeps its name and its request_id, is shown with a flag, and is left alone:
// never signalled, never started again, never deleted while it lives. It is over when its slot's
// lock is free and its cgroup was seen empty (RecordReader::OnDeath). What cannot be carried out is
// said: by the refusal of CheckManaged, and by naming it among the survivors of its session.
#ifndef SHOAL_AGENT_CORE_UNMANAGED_H_
#define SHOAL_AGENT_CORE_UNMANAGED_H_

#include <string>

#include "absl/status/status.h"
#include "agent/core/core.h"

namespace shoal::agent {

// For recovery: `process` is in `slot`, whose record is of `version`.
void TakeOverUnmanaged(Core* core, ProcessEntry* process, int slot, uint32_t version);

// OK, or FAILED_PRECONDITION that says which agent can end it.
absl::Status CheckManaged(const Core& core, const ProcessEntry& process);

// "its record is of version 9, which agent 0.4.0 can read".
std::string DescribeRecordVersion(const Core& core, uint32_t version);

// Its session is over, or its end was asked for: remembered, for people and for an agent that can
// end it.
void NoteUnmanagedEnd(Core* core, ProcessEntry* process, Termination wanted);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_UNMANAGED_H_
