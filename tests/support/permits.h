// Permits for tests, got as a service gets them.
#ifndef SHOAL_TESTS_SUPPORT_PERMITS_H_
#define SHOAL_TESTS_SUPPORT_PERMITS_H_

#include <string>

#include "agent/core/access.h"

namespace shoal::agent {

inline Permit PermitOf(const std::string& name = "uid:1000", Verb verb = Verb::kGet) {
  const Caller caller{CallerKind::kUnixUser, name, Evidence::kPeerCredentials};
  return Authorize(caller, verb, Target::Host()).value();
}

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_SUPPORT_PERMITS_H_
