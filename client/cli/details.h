// A message as text for a person: its fields by name, indented, times and sizes readable.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_CLI_DETAILS_H_
#define SHOAL_CLIENT_CLI_DETAILS_H_

#include <string>

#include "google/protobuf/message.h"

namespace shoal::cli {

// One line per field that is set, "name: value", nested messages indented below their names. Times
// are those of the reader's zone, spans have units, enums are words, bytes are quoted as a shell
// needs them and escaped.
std::string Details(const google::protobuf::Message& message);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_DETAILS_H_
