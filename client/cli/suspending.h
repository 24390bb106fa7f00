// Ctrl-Z in `run`: its ranks stop with it, on all hosts, and go on with it.
//
// Thread-safety: on the thread of signals.
// Blocking:      SuspendWith() until this program is continued.
#ifndef SHOAL_CLIENT_CLI_SUSPENDING_H_
#define SHOAL_CLIENT_CLI_SUSPENDING_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "shoal/credentials.h"
#include "shoal/job.h"

namespace shoal::cli {

// Stops the ranks of `job`, says so, and stops this program; what it has stopped goes on when it is continued. Leases
// over a network, of `lapse`, are kept by another program meanwhile, with the certificate of `tls`; `has_keeper`: one does
// so already.
void SuspendWith(Job& job, const std::vector<std::string>& host_names, bool has_keeper,
                 const TlsFiles& tls, absl::string_view lapse);

// What SuspendWith() says. `kept`: whether the leases over a network are renewed.
std::string TellSuspended(const JobSuspension& suspension,
                          const std::vector<std::string>& host_names, const absl::Status& kept,
                          absl::string_view lapse);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_SUSPENDING_H_
