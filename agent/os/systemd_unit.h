// What systemd says of the unit that the agent runs in.
//
// Thread-safety: thread-safe.
// Blocking:      up to 1 s on the system bus; call it once, at start.
#ifndef SHOAL_AGENT_OS_SYSTEMD_UNIT_H_
#define SHOAL_AGENT_OS_SYSTEMD_UNIT_H_

#include <optional>
#include <string>

namespace shoal::agent {

struct SystemdUnit {
  std::string name;
  std::string kill_mode;  // empty: the bus did not tell
};

// nullopt: not run as a service of systemd.
std::optional<SystemdUnit> ReadSystemdUnit();

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_SYSTEMD_UNIT_H_
