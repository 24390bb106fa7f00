// Keys that end `attach` and leave the process running.
//
// Ownership:     a value.
// Thread-safety: one thread at a time.
// Blocking:      never blocks.
// Errors:        INVALID_ARGUMENT: no keys.
#ifndef SHOAL_CLIENT_CLI_DETACH_KEYS_H_
#define SHOAL_CLIENT_CLI_DETACH_KEYS_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal::cli {

class DetachKeys {
 public:
  // "ctrl-p,ctrl-q": keys in their order, each "ctrl-" and a letter or one of @[\]^_, or one
  // character. "": none.
  static absl::StatusOr<DetachKeys> Parse(absl::string_view text);

  // Appends to `*passed` what is for the process. The beginning of the keys is kept back until it is
  // clear that they are not meant. True: they were typed; what came behind them is dropped.
  bool Feed(absl::string_view typed, std::string* passed);

 private:
  std::string keys_;
  size_t matched_ = 0;
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_DETACH_KEYS_H_
