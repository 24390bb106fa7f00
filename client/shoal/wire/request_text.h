// Whether the text of a request is UTF-8. An agent, which could not parse it otherwise, would answer
// INTERNAL without a word, and Protocol Buffers would complain on stderr.
//
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        INVALID_ARGUMENT names the field and shows its text.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_REQUEST_TEXT_H_
#define SHOAL_CLIENT_SHOAL_WIRE_REQUEST_TEXT_H_

#include <google/protobuf/message.h>

#include "absl/status/status.h"

namespace shoal {

absl::Status CheckRequestText(const google::protobuf::Message& request);

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_REQUEST_TEXT_H_
