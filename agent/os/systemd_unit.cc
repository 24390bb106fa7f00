#include "agent/os/systemd_unit.h"

#include <systemd/sd-bus.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-login.h>

#include <cstdlib>

namespace shoal::agent {
namespace {

constexpr uint64_t kPatienceMicros = 1'000'000;

std::string ReadKillMode(sd_bus* bus, const char* unit) {
  char* path = nullptr;
  char* mode = nullptr;
  std::string result;
  sd_bus_set_method_call_timeout(bus, kPatienceMicros);
  if (sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &path) >= 0 &&
      sd_bus_get_property_string(bus, "org.freedesktop.systemd1", path,
                                 "org.freedesktop.systemd1.Service", "KillMode", nullptr,
                                 &mode) >= 0) {
    result = mode;
  }
  std::free(mode);
  std::free(path);
  return result;
}

std::string KillModeOf(const char* unit, bool user) {
  sd_bus* bus = nullptr;
  if ((user ? sd_bus_open_user(&bus) : sd_bus_open_system(&bus)) < 0) return {};
  std::string mode = ReadKillMode(bus, unit);
  sd_bus_flush_close_unref(bus);
  return mode;
}

}  // namespace

std::optional<SystemdUnit> ReadSystemdUnit() {
  // Set by systemd for what it runs; a shell inside a session scope does not have it.
  if (sd_booted() <= 0 || std::getenv("INVOCATION_ID") == nullptr) return std::nullopt;
  char* unit = nullptr;
  const bool user = sd_pid_get_user_unit(0, &unit) >= 0;
  if (!user && sd_pid_get_unit(0, &unit) < 0) return std::nullopt;
  SystemdUnit result{unit, KillModeOf(unit, user)};
  std::free(unit);
  return result;
}

}  // namespace shoal::agent
