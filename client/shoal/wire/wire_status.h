// From grpc::Status to absl::Status, worded for the user: the host has the name the user gave.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_WIRE_STATUS_H_
#define SHOAL_CLIENT_SHOAL_WIRE_WIRE_STATUS_H_

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "shoal/host_list.h"

namespace shoal {

// What the agent said stays as it is, with its details as payloads. What gRPC itself says when the
// host is not reached becomes `host "node3" cannot be reached: connection refused (10.0.0.3:7420)`, with
// "; " and `trouble` behind it: what is known on this side of why, if anything. `reason` stands in the place of what
// gRPC says: see TellTlsTrouble(). An identity that is not served is told with the host.
absl::Status FromWire(const HostAddress& address, const grpc::Status& status,
                      absl::string_view trouble = "", const std::string& reason = "");

// A request_id that is refused for its time, by a host whose clock is more than 24 h ahead of this
// machine's (`lead`; negative: behind), is told with that and the host's name.
absl::Status NameSkew(const HostAddress& address, absl::Duration lead, absl::Status status);

// Whether no connection came about, so that the agent cannot have seen the call. REQUIRES:
// UNAVAILABLE.
bool IsConnectFailure(const grpc::Status& status);

// An attempt that has ended so may have reached the agent, whose answer is not known.
bool MayHaveArrived(const grpc::Status& status);

// The other side is gone, or going: UNAVAILABLE, or CANCELLED by a server that was shut down hard.
// For a call that was not cancelled here.
bool IsBroken(const grpc::Status& status);

// The agent is there and has said, with UNAVAILABLE, that it cannot do this now: an ErrorInfo tells it
// from a connection that is broken.
bool IsRefusedForNow(const grpc::Status& status);
// Of those, the ones that the next seconds may change: a start whose program is being written, or whose
// parent has just ended.
bool IsStartFailure(const grpc::Status& status);

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_WIRE_STATUS_H_
