// What of a ProcessSpec is refused before it reaches the state: what can be said without any.
//
// Ownership:     stateless.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        INVALID_ARGUMENT names the field and the reason, user bytes escaped.
#ifndef SHOAL_AGENT_SPEC_SPEC_CHECKS_H_
#define SHOAL_AGENT_SPEC_SPEC_CHECKS_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/spec/spec.h"
#include "shoal/v1/process.pb.h"

namespace shoal::agent {

inline constexpr int kMaxArguments = 65'536;
inline constexpr size_t kMaxArgumentBytes = 131'071;  // MAX_ARG_STRLEN - 1, execve(2)
inline constexpr size_t kMaxNameBytes = 128;

struct SpecLimits {
  // For argv and environment together, with a pointer for each: execve(2) refuses more than a
  // quarter of RLIMIT_STACK.
  size_t max_total_bytes = size_t{1} << 20;
};

// The limits of processes that this process starts.
SpecLimits LimitsOfThisProcess();

// "" or [A-Za-z0-9._-]{1,128} without a leading dot.
absl::Status CheckName(absl::string_view name);

// The size of a terminal; `field` is what an error calls it.
absl::Status CheckTerminalSize(absl::string_view field, int rows, int columns);

// A spec as it was sent.
absl::Status CheckSpec(const v1::ProcessSpec& proto, const SpecLimits& limits);

// What can be said once the defaults are filled in.
absl::Status CheckSpec(const Spec& spec, bool has_session);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_SPEC_SPEC_CHECKS_H_
