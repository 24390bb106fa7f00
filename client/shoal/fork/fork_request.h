// What "fork" asks for: the words of its packet and the fields of its payload.
//
// Ownership:     a payload owns its bytes; the pointers point into them and survive a move.
// Thread-safety: plain data.
// Errors:        INVALID_ARGUMENT, with what is wrong.
#ifndef SHOAL_CLIENT_SHOAL_FORK_FORK_REQUEST_H_
#define SHOAL_CLIENT_SHOAL_FORK_FORK_REQUEST_H_

#include <stdint.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal::forking {

struct ForkCommand {
  std::string number;
  std::string slot;
};

// "fork NUMBER SLOT".
absl::StatusOr<ForkCommand> ParseForkCommand(absl::string_view packet);

struct ForkPayload {
  std::vector<char> bytes;
  // Ended by a null pointer both, as execve(2) has it.
  std::vector<char*> argv;
  std::vector<char*> env;
  const char* cwd = nullptr;
  uint64_t nofile = 0;  // 0: leave the limit
  bool merge_stderr = false;
  bool result = false;
  bool input = false;
  bool terminal = false;
  uint32_t rows = 0;  // of the terminal; 0: not told, as the next
  uint32_t columns = 0;
  const char* input_file = nullptr;  // nullptr: none
  bool forbid_children = false;
};

absl::StatusOr<ForkPayload> ParseForkPayload(std::vector<char> bytes);

}  // namespace shoal::forking

#endif  // SHOAL_CLIENT_SHOAL_FORK_FORK_REQUEST_H_
