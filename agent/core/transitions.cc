#include "agent/core/transitions.h"

#include <cstdint>

namespace shoal::agent {
namespace {

constexpr uint32_t Bit(State state) { return 1u << static_cast<int>(state); }

// The whole state machine. A shim may report "started" and "exited" in one look, hence STARTING →
// EXITED; an end asked for while STARTING takes effect once the program runs, hence STARTING →
// STOPPING.
constexpr uint32_t kNext[] = {
    /* PENDING */ Bit(State::kStarting) | Bit(State::kFailedToStart) | Bit(State::kLost),
    /* STARTING */ Bit(State::kRunning) | Bit(State::kStopping) | Bit(State::kExited) |
        Bit(State::kFailedToStart) | Bit(State::kLost),
    /* RUNNING */ Bit(State::kStopping) | Bit(State::kExited) | Bit(State::kLost),
    /* STOPPING */ Bit(State::kExited) | Bit(State::kLost),
    /* EXITED */ 0,
    /* FAILED_TO_START */ 0,
    /* LOST */ 0,
};

}  // namespace

bool MayBecome(State from, State to) { return (kNext[static_cast<int>(from)] & Bit(to)) != 0; }

bool Advance(ProcessEntry* process, State to) {
  if (process->state == to) return true;
  if (!MayBecome(process->state, to)) return false;
  process->state = to;
  return true;
}

absl::string_view NameOf(State state) {
  switch (state) {
    case State::kPending:
      return "pending";
    case State::kStarting:
      return "starting";
    case State::kRunning:
      return "running";
    case State::kStopping:
      return "stopping";
    case State::kExited:
      return "exited";
    case State::kFailedToStart:
      return "failed to start";
    case State::kLost:
      return "lost";
  }
  return "unknown";
}

}  // namespace shoal::agent
