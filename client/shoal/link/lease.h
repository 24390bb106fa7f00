// A lease that is renewed until it is dropped, or over.
//
// Ownership:     the Session's.
// Thread-safety: thread-safe.
// Blocking:      Drop() waits for a call of on_lost that is under way, unless it is made in there;
//                the rest never blocks.
// Errors:        as status() says.
#ifndef SHOAL_CLIENT_SHOAL_LINK_LEASE_H_
#define SHOAL_CLIENT_SHOAL_LINK_LEASE_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace shoal {

// What is to be renewed.
struct LeaseTerms {
  std::string session_id;
  std::string token;
  absl::Duration ttl;
  // The lease is over, and why; at most once.
  std::function<void(const absl::Status&)> on_lost;
  // The host has answered no renewal for so long; zero: it answers again. Once each.
  std::function<void(absl::Duration silence)> on_silence;
};

class Lease {
 public:
  virtual ~Lease() = default;

  // No longer renewed; on_lost is not called after this.
  virtual void Drop() = 0;
  // UNAVAILABLE: the host has not renewed it for longer than its TTL. Else why it is over.
  virtual absl::Status status() const = 0;
  // How long this program did not run since the last renewal, if it did not.
  virtual absl::Duration pause() const = 0;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_LINK_LEASE_H_
