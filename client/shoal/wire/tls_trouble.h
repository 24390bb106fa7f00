// Why no connection over TCP comes about where certificates do not go together, and what to do about it: one
// table from what gRPC and OpenSSL say.
//
// Ownership:     none.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        none; what is not in the table is left to others.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_TLS_TROUBLE_H_
#define SHOAL_CLIENT_SHOAL_WIRE_TLS_TROUBLE_H_

#include <grpcpp/support/status.h>

#include <string>

#include "shoal/credentials.h"

namespace shoal {

// What fits behind "host "a" cannot be reached: "; empty for what is no such trouble. `credentials` are those that
// were shown.
std::string TellTlsTrouble(const grpc::Status& status, const Credentials& credentials);

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_TLS_TROUBLE_H_
