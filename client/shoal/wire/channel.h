// The gRPC channel to one agent.
//
// Thread-safety: thread-safe.
// Blocking:      never blocks; the first call connects.
#ifndef SHOAL_CLIENT_SHOAL_WIRE_CHANNEL_H_
#define SHOAL_CLIENT_SHOAL_WIRE_CHANNEL_H_

#include <grpcpp/channel.h>

#include <memory>
#include <string>

#include "shoal/host.h"

namespace shoal {

// `target`: where gRPC is to connect; address.target() but for a name, which stays what the call
// asks for and what the certificate is checked against. `credentials`: the options' own, or what they
// were renewed to. REQUIRES: credentials.MaySpeakTo(address).
std::shared_ptr<grpc::Channel> MakeChannel(const HostAddress& address, const HostOptions& options,
                                           const Credentials& credentials,
                                           const std::string& target);

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_WIRE_CHANNEL_H_
