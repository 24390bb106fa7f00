// What a Host is made of: channel, stubs, and what is known of the agent behind them.
//
// Ownership:     the Host's. Calls hold plain pointers to it and are counted in `active`; it is
//                destroyed when there is none, never on a thread of gRPC.
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_HOST_REP_H_
#define SHOAL_CLIENT_SHOAL_WIRE_HOST_REP_H_

#include <grpcpp/channel.h>

#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "shoal/host.h"
#include "shoal/v1/blob_service.grpc.pb.h"
#include "shoal/v1/host_service.grpc.pb.h"
#include "shoal/v1/process_service.grpc.pb.h"
#include "shoal/v1/session_service.grpc.pb.h"
#include "shoal/wire/active_calls.h"
#include "shoal/wire/retry.h"

namespace shoal {

struct Host::Rep {
  Rep(HostAddress host_address, HostOptions host_options);

  AgentIdentity Identity() const;
  // The first identity stays.
  void Pin(const std::string& agent_id, const std::string& boot_id);
  // Notes whether the host was reached, and that it has answered.
  void NoteAnswer(const grpc::Status& status);
  // A stream stands, whatever becomes of it.
  void NoteReached();
  // Since when no call has reached it; `now` if this is the first.
  absl::Time BrokenSince(absl::Time now);
  Attempt AttemptUntil(absl::Time deadline, bool retry_wanted) const;

  // Constant after construction.
  const HostAddress address;
  const HostOptions options;
  const absl::Time create_time;
  const std::shared_ptr<grpc::Channel> channel;
  v1::HostService::Stub hosts;
  v1::ProcessService::Stub processes;
  v1::SessionService::Stub sessions;
  v1::BlobService::Stub blobs;

  ActiveCalls active;
  std::atomic<bool> has_answered{false};
  std::atomic<bool> was_connected{false};  // a call was lost on its way, so somebody was there

  mutable absl::Mutex mu;
  AgentIdentity identity ABSL_GUARDED_BY(mu);
  std::optional<absl::Time> broken_since ABSL_GUARDED_BY(mu);
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_HOST_REP_H_
