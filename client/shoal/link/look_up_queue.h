// Look-ups that wait for their turn: a resolver that hangs, which it does for minutes where DNS is dead,
// holds up so many threads and no more.
//
// Ownership:     shared by its users and the threads of its look-ups, which nobody waits for.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        those of the resolver; UNAVAILABLE: there is no thread.
#ifndef SHOAL_CLIENT_SHOAL_LINK_LOOK_UP_QUEUE_H_
#define SHOAL_CLIENT_SHOAL_LINK_LOOK_UP_QUEUE_H_

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"

namespace shoal {

// IPv4 and IPv6 addresses without ports, in the order in which they are to be tried.
using Addresses = std::vector<std::string>;

class LookUpQueue : public std::enable_shared_from_this<LookUpQueue> {
 public:
  using Resolve = std::function<absl::StatusOr<Addresses>(const std::string& name)>;
  using Done = absl::AnyInvocable<void(absl::StatusOr<Addresses>) &&>;

  // `most`: with the resolver at once.
  LookUpQueue(int most, Resolve resolve) : most_(most), resolve_(std::move(resolve)) {}

  // In the order in which they come. `done` is called once, on the thread of the look-up.
  void Add(const std::string& name, Done done);

 private:
  struct LookUp {
    std::string name;
    Done done;
  };
  void Run();

  const int most_;
  const Resolve resolve_;
  Mutex mu_;
  int threads_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<LookUp> waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_LINK_LOOK_UP_QUEUE_H_
