// What a Process that another program has started is to be here.
//
// Ownership:     a value.
// Thread-safety: as a plain value.
#ifndef SHOAL_CLIENT_SHOAL_ATTACH_OPTIONS_H_
#define SHOAL_CLIENT_SHOAL_ATTACH_OPTIONS_H_

#include <cstdint>
#include <functional>

#include "absl/strings/string_view.h"
#include "shoal/v1/process.pb.h"

namespace shoal {

// When this program takes the session of the process over, so that it goes on though its client is gone. Held as
// long as the Process lives: then it lapses at its TTL, unless Process::Detach() was called.
enum class TakeoverRule {
  kNever,
  // Once it was not renewed for two thirds of its TTL: a client that lives is left alone. It is looked at by a thread
  // of the Process, so that Attach() does not wait.
  kWhenUnrenewed,
  // At once: a client that lives is fenced, and told so.
  kAtOnce,
};

struct AttachOptions {
  TakeoverRule takeover = TakeoverRule::kNever;
  // As ProcessOptions.on_output: from the first byte that the host keeps.
  std::function<void(v1::StreamKind stream, int64_t offset, absl::string_view data)> on_output{};
  // What on_output has had may go there: of a process that waits at the cap of its output (OVERFLOW_POLICY_BLOCK) for the
  // one reader whose bytes these are.
  bool acknowledges = false;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_ATTACH_OPTIONS_H_
