// Whether a request is small enough to be sent. An agent refuses a larger one unread, with a code
// that says "try again".
//
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        INVALID_ARGUMENT names the field that has most of it, the size and the limit.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_REQUEST_SIZE_H_
#define SHOAL_CLIENT_SHOAL_WIRE_REQUEST_SIZE_H_

#include <google/protobuf/message.h>

#include "absl/status/status.h"

namespace shoal {

absl::Status CheckRequestSize(const google::protobuf::Message& request);

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_REQUEST_SIZE_H_
