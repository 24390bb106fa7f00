// Another `shoal` that renews leases while this one is stopped, for hosts whose agents cannot see that it is.
//
// Ownership:     the keeper ends with this object, and with this program, however that ends: it renews while the pipe
//                is open whose other end is here.
// Thread-safety: as a plain object.
// Blocking:      Start() until the keeper has renewed all, for `patience` at most.
#ifndef SHOAL_CLIENT_CLI_KEEPER_H_
#define SHOAL_CLIENT_CLI_KEEPER_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/unique_fd.h"
#include "shoal/credentials.h"
#include "shoal/host_list.h"
#include "shoal/job.h"

namespace shoal::cli {

// What a keeper is told on its stdin: a line for each, and an empty one behind them.
struct KeptLease {
  HostAddress address;
  std::string session_id;
  std::string token;
  absl::Duration ttl;
};
std::string WriteKeptLeases(const std::vector<KeptLease>& leases);
// INVALID_ARGUMENT: `text` is not what WriteKeptLeases() makes.
absl::StatusOr<std::vector<KeptLease>> ReadKeptLeases(absl::string_view text);

// Of the leases those that need a keeper: the agent behind a Unix socket sees by itself that this program is stopped.
std::vector<KeptLease> LeasesToKeep(const std::vector<JobLease>& leases);

class Keeper {
 public:
  Keeper() = default;
  ~Keeper();
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;

  // In a session of its own, so that what the terminal sends to this program does not reach it; with the certificate of
  // `tls`. Its name tells the agent to leave it alone when a tree that it is part of is stopped. Once. UNAVAILABLE: it has
  // not renewed all of them within `patience` (zero: that is not waited for); it goes on trying.
  absl::Status Start(const std::vector<KeptLease>& leases, const TlsFiles& tls,
                     absl::Duration patience);

 private:
  pid_t pid_ = 0;
  UniqueFd life_;
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_KEEPER_H_
