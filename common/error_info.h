// Where a status carries what a program can act on.
//
// Thread-safety: constants.
#ifndef SHOAL_COMMON_ERROR_INFO_H_
#define SHOAL_COMMON_ERROR_INFO_H_

namespace shoal {

// Type URL of the google.rpc.ErrorInfo in the details of a gRPC status, and of the payload with
// its bytes in an absl::Status.
inline constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";

// Reasons that both sides know. Of a start that the host refused:
inline constexpr char kStartFailedReason[] = "START_FAILED";
// Of what the agent cannot do for now, though it is reached; UNAVAILABLE without a reason is the
// connection's.
inline constexpr char kRefusedForNowReason[] = "REFUSED_FOR_NOW";

}  // namespace shoal

#endif  // SHOAL_COMMON_ERROR_INFO_H_
