// Where a status carries what a program can act on.
//
// Thread-safety: constants.
#ifndef SHOAL_COMMON_ERROR_INFO_H_
#define SHOAL_COMMON_ERROR_INFO_H_

namespace shoal {

// Type URL of the google.rpc.ErrorInfo in the details of a gRPC status, and of the payload with
// its bytes in an absl::Status.
inline constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";

}  // namespace shoal

#endif  // SHOAL_COMMON_ERROR_INFO_H_
