// Starts a program apart from this one: in a session of its own, with no signal blocked or ignored that this program has.
//
// Thread-safety: thread-safe.
// Blocking:      for one posix_spawn.
#ifndef SHOAL_CLIENT_CLI_SPAWN_APART_H_
#define SHOAL_CLIENT_CLI_SPAWN_APART_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace shoal::cli {

struct ApartProgram {
  std::string path;
  std::vector<std::string> words;        // argv
  std::vector<std::string> environment;  // KEY=VALUE
  // What the program has as 0, 1, 2, …, and nothing else; -1: /dev/null. Each is above those numbers.
  std::vector<int> descriptors;
  bool is_at_root = false;  // in "/", not in the working directory of this program
};

// The error is that of posix_spawn, without words.
absl::StatusOr<pid_t> SpawnApart(ApartProgram program);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_SPAWN_APART_H_
