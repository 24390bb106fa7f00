// Ends processes of a run directory that no agent serves: `shoald --terminate`, for where an agent
// cannot run, or does not answer and was killed.
//
//  1. the agent lock is taken, so that no agent starts meanwhile           Records::Open
//  2. the order is written into the agent halves                           Order
//  3. the shims are woken and do the rest; what they report is waited for  Await
//
// The records and signals are all that it needs: no thread, no database, no room on a disk. The next
// agent finds in the records what became of the processes, and who asked for it.
//
// Ownership:     stateless.
// Thread-safety: single-threaded process only.
// Blocking:      up to the longest grace and the time of the proof.
// Errors:        UNAVAILABLE: an agent serves the directory. NOT_FOUND: no agent has in this boot, or
//                no process has the id. INVALID_ARGUMENT: the id is too short, or fits several.
#ifndef SHOAL_AGENT_OS_UNATTENDED_END_H_
#define SHOAL_AGENT_OS_UNATTENDED_END_H_

#include <optional>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/end_times.h"

namespace shoal::agent {

struct UnattendedEnd {
  std::string run_dir;
  std::string boot_id;
  std::string which;                                   // "all", an id, or the beginning of one
  std::optional<absl::Duration> grace = std::nullopt;  // absent: that of each spec
  absl::Duration proof_time = kProofTime;
};

// True: all that `which` names are over, and their trees were seen empty. `say` is told of each
// process how it ended, or why it has not.
absl::StatusOr<bool> EndUnattended(const UnattendedEnd& wish,
                                   absl::FunctionRef<void(const std::string& line)> say);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_UNATTENDED_END_H_
