// Whether the hosts of a command have names that exist: a better answer than that one needs a
// certificate.
//
// Thread-safety: thread-safe.
// Blocking:      for `patience` at most: every name is asked for at the same time.
// Errors:        UNAVAILABLE names the first one, in the order given, that does not resolve.
#ifndef SHOAL_CLIENT_CLI_NAMES_H_
#define SHOAL_CLIENT_CLI_NAMES_H_

#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "shoal/host_list.h"
#include "shoal/link/name_lookup.h"

namespace shoal::cli {

using LookUp = std::function<void(const std::string& name, LookUpQueue::Done done)>;

// Nothing is said of a name whose answer has not come by then, or could not be had.
absl::Status CheckThatNamesResolve(const std::vector<HostAddress>& addresses,
                                   absl::Duration patience = absl::Seconds(5),
                                   const LookUp& look_up = LookUpName);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_NAMES_H_
