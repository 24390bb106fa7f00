// What --stdin of `run` says: which ranks read our stdin, or what they read instead.
//
// Ownership:     a value.
// Thread-safety: as a plain value.
#ifndef SHOAL_CLIENT_CLI_INPUT_CHOICE_H_
#define SHOAL_CLIENT_CLI_INPUT_CHOICE_H_

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal::cli {

struct InputChoice {
  bool is_ours = false;     // our stdin is read
  std::optional<int> rank;  // by this one; absent: by all
  std::string file;         // of the hosts, read by each rank; empty: none
};

// "all", "none", the number of a rank below `world`, or "@FILE"; "" means all of a single process, if there
// is something on our stdin (`is_given`), and none of several. INVALID_ARGUMENT: none of these.
absl::StatusOr<InputChoice> ParseInputChoice(absl::string_view word, int world, bool is_given);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_INPUT_CHOICE_H_
