// What the agent is told at its start.
//
// Ownership:     plain data.
// Thread-safety: constant after construction.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_OPTIONS_H_
#define SHOAL_AGENT_CORE_OPTIONS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "agent/core/logged_request.h"
#include "agent/core/quotas.h"

namespace shoal::agent {

struct SupervisorOptions {
  std::string agent_version;
  std::string boot_id;
  std::string host_name;
  std::vector<std::string> base_env;  // PATH, HOME, USER, SHELL of the agent's user
  std::vector<std::string> own_env;   // SHOAL_…=… of every process, whatever its spec says
  absl::Duration retention = absl::Hours(24);  // of ended processes
  size_t retention_count = 10'000;
  absl::Duration dead_man = absl::Minutes(10);  // beyond a session's TTL
  bool has_cgroup = false;
  // Of each caller so many shims are being started at a time; of all so many ends are told. As many
  // as keep the processors busy: each is a session that has its share of them, as the agent has.
  size_t starts_at_once = 16;
  size_t ends_at_once = 64;
  RequestLimits requests;
  Quotas quotas;  // of each identity
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_OPTIONS_H_
