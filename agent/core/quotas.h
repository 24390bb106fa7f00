// What one identity may have of this agent at a time, so that it leaves room for others. Only
// floods reach the defaults.
//
// Ownership:     plain data; part of SupervisorOptions.
// Thread-safety: constant after construction.
// Blocking:      never blocks.
// Errors:        what exceeds one is RESOURCE_EXHAUSTED, by QuotaExceeded.
#ifndef SHOAL_AGENT_CORE_QUOTAS_H_
#define SHOAL_AGENT_CORE_QUOTAS_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace shoal::agent {

struct Quotas {
  size_t live_processes = 20'000;  // that are not over
  // Of arguments, environment and labels of these; and of all that have ended, of which the oldest are
  // forgotten earlier.
  int64_t live_spec_bytes = int64_t{256} << 20;
  int64_t kept_spec_bytes = int64_t{16} << 20;
  int64_t input_bytes = int64_t{4} << 30;  // of the windows of their input
  size_t sessions = 4'096;
  size_t awaited_processes = 500'000;  // in all Waits together
  int64_t disk_bytes =
      int64_t{1} << 50;  // output that is kept and these windows; the agent says half the disk
  // Calls that are open.
  size_t streams = 1'024;  // Watch, ReadOutput, Read of blobs
  // Beside these, streams that each change of any process may be told to: Watch, and ReadOutput that follows what starts
  // later, of more than one session or whole ids (Selector::IsWide).
  size_t wide_streams = 128;
  size_t waits = 4'096;
  size_t uploads = 64;
  size_t inputs = 512;  // WriteInput, StreamInput
};

inline absl::Status QuotaExceeded(absl::string_view owner, absl::string_view what, int64_t has,
                                  int64_t limit) {
  return absl::ResourceExhaustedError(
      absl::StrCat("identity ", owner, " has ", has, " ", what, ", limit ", limit));
}

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_QUOTAS_H_
