// Which process uses gRPC: the one that made the first Host.
//
// A fork of it has neither gRPC's threads nor the right to its connections, through which it would
// answer for its parent. So what would call an agent there is refused, and what would wait for a
// thread that is not there is left alone.
//
// Thread-safety: thread-safe; no mutex is taken, since a fork may have been made while it was held.
// Blocking:      never blocks.
#ifndef SHOAL_CLIENT_SHOAL_LINK_OWNER_H_
#define SHOAL_CLIENT_SHOAL_LINK_OWNER_H_

#include <memory>
#include <utility>

#include "absl/status/status.h"

namespace shoal::internal {

// From here on this process uses gRPC. FAILED_PRECONDITION: it is a fork of one that does. RESOURCE_EXHAUSTED: it
// cannot have the threads for it.
absl::Status ClaimGrpc();

// FAILED_PRECONDITION: as ClaimGrpc().
absl::Status CheckNotForked();
bool IsForked();

// In a fork what is referred to is never destroyed.
template <typename T>
void KeepInFork(std::shared_ptr<T> what) {
  if (IsForked()) static_cast<void>(new std::shared_ptr<T>(std::move(what)));
}

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_LINK_OWNER_H_
