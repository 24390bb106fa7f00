// How the wish that a process ends is written into the agent half of its record: by an agent, or by
// `shoald --terminate` where none runs.
//
// Thread-safety: plain functions.
#ifndef SHOAL_AGENT_RECORD_END_ORDER_H_
#define SHOAL_AGENT_RECORD_END_ORDER_H_

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "agent/record/record_layout.h"

namespace shoal::record {

// `serial` is higher than the one that is there.
inline void OrderEnd(AgentHalf* half, uint32_t serial, EndCause cause, int32_t signal,
                     int64_t grace_ns) {
  half->terminate_serial = serial;
  half->terminate_cause = cause;
  half->terminate_signal = signal;
  half->terminate_grace_ns = grace_ns;
}

// The first order, for the next agent, should it not be stored. `by` is cut at kMaxAskerBytes - 1.
inline void NoteFirstOrder(AgentHalf* half, int64_t asked_ns, int32_t signal, int64_t grace_ns,
                           const char* by, size_t by_bytes) {
  half->end_asked_ns = asked_ns;
  half->end_asked_grace_ns = grace_ns;
  half->end_asked_signal = signal;
  memset(half->end_asked_by, 0, sizeof(half->end_asked_by));
  memcpy(half->end_asked_by, by, by_bytes < kMaxAskerBytes - 1 ? by_bytes : kMaxAskerBytes - 1);
}

}  // namespace shoal::record

#endif  // SHOAL_AGENT_RECORD_END_ORDER_H_
