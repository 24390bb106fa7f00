#include "agent/core/record_facts.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace shoal::agent {
namespace {

using record::EndCause;
using record::ShimHalf;

// Of a field that has a NUL behind it unless it is full.
template <size_t kSize>
std::string TextOf(const char (&field)[kSize]) {
  return std::string(field, strnlen(field, kSize));
}

}  // namespace

Cause CauseOf(EndCause end) {
  switch (end) {
    case EndCause::kRequested:
      return Cause::kTerminated;
    case EndCause::kTimeLimit:
      return Cause::kTimeLimit;
    case EndCause::kSessionClosed:
      return Cause::kSessionClosed;
    case EndCause::kSessionExpired:
      return Cause::kSessionExpired;
    case EndCause::kDeadMan:
      return Cause::kDeadMan;
    case EndCause::kNone:
    case EndCause::kDescendants:
      break;
  }
  return Cause::kNone;
}

Exit ExitOf(const ShimHalf& shim, const ProcessEntry& process, bool out_of_memory) {
  Exit exit;
  int status = shim.wait_status;
  if (record::HasExitCode(status)) {
    exit.code = record::ExitCodeOf(status);
    exit.cause = Cause::kExited;
  } else {
    exit.signal = record::SignalOf(status);
    exit.core_dumped = record::DumpedCore(status);
    exit.cause = out_of_memory ? Cause::kOutOfMemory : Cause::kSignaled;
  }
  exit.usage = shim.usage;
  bool end_came_first = shim.end_began_ns != 0 && shim.end_began_ns <= shim.exited_ns;
  if (Cause cause = CauseOf(shim.end_cause); end_came_first && cause != Cause::kNone) {
    exit.cause = cause;
    if (process.termination) exit.requested_by = process.termination->requested_by;
  } else if (exit.cause == Cause::kSignaled && !process.signals.empty() &&
             process.signals.back().signal == *exit.signal) {
    exit.cause = Cause::kTerminated;
    exit.requested_by = process.signals.back().requested_by;
  }
  return exit;
}

std::optional<Termination> AskedEndOf(const record::AgentHalf& half) {
  if (half.terminate_serial == 0 || half.end_asked_ns == 0) return std::nullopt;
  return Termination{.requested_by = TextOf(half.end_asked_by),
                     .cause = CauseOf(half.terminate_cause),
                     .request_time = absl::FromUnixNanos(half.end_asked_ns),
                     .signal = half.end_asked_signal,
                     .grace = absl::Nanoseconds(half.end_asked_grace_ns),
                     .kill_time = std::nullopt};
}

std::optional<Descendants> DescendantsOf(const ShimHalf& shim) {
  if (shim.descendant_count <= 0) return std::nullopt;
  Descendants seen;
  seen.count = shim.descendant_count;
  for (int i = 0; i < std::min(seen.count, record::kMaxSurvivors); ++i) {
    seen.members.push_back({shim.descendants[i].pid, TextOf(shim.descendants[i].command), ""});
  }
  if (shim.end_began_ns != 0) {
    seen.signal = shim.end_signal;
    seen.signal_time = absl::FromUnixNanos(shim.end_began_ns);
  }
  if (shim.killed_ns != 0) seen.kill_time = absl::FromUnixNanos(shim.killed_ns);
  return seen;
}

bool Raise(uint32_t* flags, uint32_t flag, bool wanted) {
  const uint32_t before = *flags;
  *flags = wanted ? before | flag : before & ~flag;
  return *flags != before;
}

void BecomeDetached(record::AgentHalf& half) {
  half.dead_man_ns = 0;
  half.flags |= record::kDropOldest;
}

}  // namespace shoal::agent
