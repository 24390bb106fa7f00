// One Wait of any length, asked for in pieces, so that a connection which died unseen costs one
// piece.
//
// Ownership:     its own, until `done` was called.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        those of the calls; UNAVAILABLE after CallOptions.patience without the host.
#ifndef SHOAL_CLIENT_SHOAL_HOST_WAIT_CALL_H_
#define SHOAL_CLIENT_SHOAL_HOST_WAIT_CALL_H_

#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/boot_time.h"
#include "shoal/call.h"
#include "shoal/link/link.h"

namespace shoal {

class WaitCall : public std::enable_shared_from_this<WaitCall> {
 public:
  // Waits until options.timeout, which may be infinite; then `timed_out` is set. request.timeout is
  // overwritten.
  static void Run(Link* link, v1::WaitRequest request, const CallOptions& options,
                  Done<v1::WaitResponse> done);

 private:
  WaitCall(Link* link, v1::WaitRequest request, const CallOptions& options,
           Done<v1::WaitResponse> done);
  void Next();
  void OnAnswer(absl::StatusOr<v1::WaitResponse> answer);

  Link* const link_;
  v1::WaitRequest request_;
  CallOptions options_;
  const BootTime deadline_;
  Done<v1::WaitResponse> done_;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_HOST_WAIT_CALL_H_
