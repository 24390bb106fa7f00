// How calls to an agent are bounded, answered and ended.
#ifndef SHOAL_CLIENT_SHOAL_CALL_H_
#define SHOAL_CLIENT_SHOAL_CALL_H_

#include <functional>
#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "shoal/duration.h"
#include "shoal/v1/process.pb.h"

namespace shoal {

struct CallOptions {
  // Until the answer, retries included.
  absl::Duration timeout = absl::Seconds(30);
  // Retry what fails with UNAVAILABLE, with the same request_id, until `timeout`.
  bool retry = true;
  // But no longer than this after the host was first found unreachable, by whatever call: then one
  // attempt is made, so that many calls to a host that is gone take no longer than one.
  absl::Duration patience = absl::Minutes(1);
};

// For a spawn: an agent warms a template for up to a minute before it forks from it, and may have
// hundreds of processes to start before it answers; and it waits for the process to fork.
inline absl::Duration SpawnTimeoutOf(const v1::ProcessSpec& spec) {
  return absl::Minutes(5) + FromProto(spec.fork_wait());
}

// Gets the answer of an asynchronous call, exactly once, on a thread of gRPC: it must not block,
// nor make a blocking call. It may start other asynchronous calls, and call exit(). An exception
// ends the program, as on any other thread; so it is for observers of streams.
template <typename T>
using Done = absl::AnyInvocable<void(absl::StatusOr<T>)>;

// A stream of an agent that goes on over broken connections until it is cancelled or complete.
//
// Ownership:     the caller's. The destructor cancels and waits for the last callback to return, so
//                it must not run inside one.
// Thread-safety: thread-safe.
class Subscription {
 public:
  virtual ~Subscription() = default;

  // Asks for the end; `on_end` comes with CANCELLED unless the stream ended before. Never blocks.
  virtual void Cancel() = 0;

  // Goes on after an observer returned Flow::kPause, or had nothing more to send. Else without effect. Never blocks.
  virtual void Resume() = 0;
};

// What an observer says after each message.
enum class Flow {
  kGoOn,
  kPause,  // no further message is read until Subscription::Resume(): the agent's queue fills,
           // bounded
};

// What a program has for a stream that it writes.
enum class Supply {
  kMessage,  // the next one
  kNothing,  // until Subscription::Resume()
  kEnd,      // the last one was sent
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_CALL_H_
