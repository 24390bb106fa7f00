// What shoald was told by its flags and its TOML file; deploy/shoald.toml.example explains each.
//
// Thread-safety: plain data.
#ifndef SHOAL_AGENT_SETTINGS_H_
#define SHOAL_AGENT_SETTINGS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "agent/net/allowed_identities.h"

namespace shoal::agent {

inline constexpr char kJournald[] = "journald";  // as --audit-log

struct Settings {
  std::string state_dir;
  std::string run_dir;
  std::string socket;
  std::vector<std::string> listen;
  bool insecure_loopback = false;
  std::string tls_cert, tls_key, tls_ca;
  std::string tls_crl_dir;  // empty: none
  AllowedIdentities allow_identity;
  absl::Duration max_connection_age = absl::Hours(24);
  int slots = 0;  // 0: the usable cores
  std::map<std::string, std::string> labels;
  std::string host_name;    // empty: the hostname
  std::string cgroup_base;  // empty: look for one
  int idle_shims = -1;      // -1: as many as usable cores
  absl::Duration retention = absl::Hours(24);
  size_t retention_count = 10'000;
  int64_t blob_cap_bytes = int64_t{8} << 30;
  absl::Duration dead_man = absl::Minutes(10);
  absl::Duration idle_exit;  // zero: never
  int ready_fd = -1;
  std::string log_level = "info";
  std::string audit_log;  // a path, or kJournald
  bool audit_required = false;
  // Instead of serving: end these processes, "all" or an id; empty: serve.
  std::string terminate;
  std::optional<absl::Duration> grace;  // of --terminate; absent: that of each spec
};

// Reads flags and --config, fills in the default paths. nullopt: the program is to end with
// `*exit_code` (0 after --help or --version, 2 for wrong usage, which was said on stderr).
std::optional<Settings> ParseSettings(int argc, char** argv, int* exit_code);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_SETTINGS_H_
