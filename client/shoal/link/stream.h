// A stream that goes on over broken connections, as what is told of it, and as what may be
// asked of it.
//
// Ownership:     shared by its reader and, from Start() until on_end has returned, by itself.
// Thread-safety: thread-safe. Hooks are called one at a time, without a mutex held.
// Blocking:      WaitForEnd() waits for on_end to return; the rest never blocks.
// Errors:        go to on_end.
#ifndef SHOAL_CLIENT_SHOAL_LINK_STREAM_H_
#define SHOAL_CLIENT_SHOAL_LINK_STREAM_H_

#include <functional>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "shoal/call.h"

namespace shoal {

template <typename Request, typename Response>
struct StreamHooks {
  // Writes into the request where to go on. Before each attempt.
  std::function<void(Request*)> prepare;
  absl::AnyInvocable<Flow(Response&&)> on_message;  // may take it
  // Of a stream that the client writes: fills in the next message. Called by the attempt under way, which `prepare` has
  // announced; what the agent has of earlier ones is the hooks' affair. Messages of the agent do not pause it.
  std::function<Supply(Request*)> next;
  // True: this error is one that another attempt, prepared anew, gets over.
  std::function<bool(absl::StatusCode)> recover;
  // The connection broke (not OK), and stands again (OK).
  absl::AnyInvocable<void(const absl::Status&)> on_connection;
  // The last call, once.
  absl::AnyInvocable<void(const absl::Status&)> on_end;
  // Of a stream with heartbeats: an attempt that hears nothing for a minute is the last one.
  bool has_heartbeat = false;
};

class Stream {
 public:
  virtual ~Stream() = default;

  // Once. In a fork of the program it ends at once, FAILED_PRECONDITION.
  virtual void Start() = 0;
  // Asks for the end; `on_end` comes with CANCELLED unless the stream ended before.
  virtual void Cancel() = 0;
  // Goes on after on_message returned Flow::kPause, or `next` had nothing.
  virtual void Resume() = 0;
  // What `prepare` writes has changed: asks anew. A stream that ends meanwhile stays ended.
  virtual void Restart() = 0;
  virtual void WaitForEnd() = 0;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_LINK_STREAM_H_
