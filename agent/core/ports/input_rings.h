// The rings in which input waits for its process; see agent/record/record_layout.h.
//
// Ownership:     main owns the implementation, which outlives the supervisor.
// Thread-safety: loop thread only.
// Blocking:      no longer than a write of a few bytes to a file; more is written by another thread.
// Errors:        as said at each method.
#ifndef SHOAL_AGENT_CORE_PORTS_INPUT_RINGS_H_
#define SHOAL_AGENT_CORE_PORTS_INPUT_RINGS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"

namespace shoal::agent {

// Bytes [from, from + size) of what a call brought, which go to `offset` of the input.
struct InputPiece {
  std::shared_ptr<const std::string> data;
  size_t from = 0;
  size_t size = 0;
  int64_t offset = 0;
};

class InputRings {
 public:
  virtual ~InputRings() = default;

  // Puts a piece into the ring of `id`, which its shim has made. `done` runs on the loop, never before
  // returning. Not OK: bytes of the piece may be there or not.
  virtual void Write(const std::string& id, int64_t window, InputPiece piece,
                     absl::AnyInvocable<void(absl::Status)> done) = 0;

  // Nothing more is written for `id`. Removes the ring if a killed shim has left it.
  virtual void Forget(const std::string& id) = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_PORTS_INPUT_RINGS_H_
