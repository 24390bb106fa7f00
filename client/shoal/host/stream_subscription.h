// A stream, as its caller holds it.
//
// Ownership:     the caller's.
// Thread-safety: thread-safe.
// Blocking:      the destructor waits for the last callback to return.
// Errors:        go to the stream's on_end.
#ifndef SHOAL_CLIENT_SHOAL_HOST_STREAM_SUBSCRIPTION_H_
#define SHOAL_CLIENT_SHOAL_HOST_STREAM_SUBSCRIPTION_H_

#include <memory>

#include "shoal/call.h"
#include "shoal/link/stream.h"

namespace shoal {

// Starts it.
std::unique_ptr<Subscription> HoldStream(std::shared_ptr<Stream> stream);

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_HOST_STREAM_SUBSCRIPTION_H_
