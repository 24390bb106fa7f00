// The calls in progress: so that a drain can end those that wait, and an idle agent
// knows that it is.
//
// Ownership:     created by the server before it starts, outlives it. Holds the calls weakly; a
//                call adds itself when it begins and removes itself in its OnDone.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
#ifndef SHOAL_AGENT_RPC_OPEN_CALLS_H_
#define SHOAL_AGENT_RPC_OPEN_CALLS_H_

#include <grpcpp/support/status.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "common/mutex.h"

namespace shoal::agent {

// A call that may be ended from outside.
class OpenCall {
 public:
  virtual ~OpenCall() = default;
  // Ends the call with `status` unless it has an ending already.
  virtual void End(const grpc::Status& status) = 0;
};

class OpenCalls {
 public:
  // After EndAll a new call is ended at once with the same status.
  void Add(const std::shared_ptr<OpenCall>& call);
  void Remove(OpenCall* call);

  void EndAll(const grpc::Status& status);

  size_t count() const;
  // Calls that ever began.
  uint64_t total() const;

 private:
  mutable Mutex mu_;
  absl::flat_hash_map<OpenCall*, std::weak_ptr<OpenCall>> calls_ ABSL_GUARDED_BY(mu_);
  uint64_t total_ ABSL_GUARDED_BY(mu_) = 0;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  grpc::Status ending_status_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_OPEN_CALLS_H_
