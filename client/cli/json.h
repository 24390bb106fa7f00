// Messages as lines of JSON.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_CLI_JSON_H_
#define SHOAL_CLIENT_CLI_JSON_H_

#include <string>

#include "absl/strings/string_view.h"
#include "google/protobuf/message.h"

namespace shoal::cli {

// The protobuf mapping with the field names of the protos, on one line with its newline. Fields at
// their default are absent; bytes are base64.
std::string JsonLine(const google::protobuf::Message& message);

// The same object with the member "host" in front; for messages that do not say where they come
// from.
std::string JsonLineFrom(absl::string_view host, const google::protobuf::Message& message);

// `text` as a JSON string with its quotes; bytes that are not UTF-8 and control characters escaped
// as for a message.
std::string JsonQuote(absl::string_view text);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_JSON_H_
