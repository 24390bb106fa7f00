#include "common/user_directories.h"

#include <unistd.h>

#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

// The variable's directory, or `fallback` below HOME; empty if neither is an absolute path.
std::string Base(const char* variable, const char* fallback) {
  const char* base = std::getenv(variable);
  if (base != nullptr && base[0] == '/') return base;
  const char* home = std::getenv("HOME");
  return home != nullptr && home[0] == '/' ? absl::StrCat(home, "/", fallback) : std::string();
}

std::string OfShoal(const std::string& base) {
  return base.empty() ? std::string() : absl::StrCat(base, "/shoal");
}

}  // namespace

std::string RuntimeDirectory() {
  if (geteuid() == 0) return "/run/shoal";
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  if (runtime != nullptr && runtime[0] == '/') return absl::StrCat(runtime, "/shoal");
  return absl::StrCat("/tmp/shoal-", geteuid());
}

std::string StateDirectory() {
  if (geteuid() == 0) return "/var/lib/shoal";
  return OfShoal(Base("XDG_STATE_HOME", ".local/state"));
}

std::string ConfigDirectory() { return OfShoal(Base("XDG_CONFIG_HOME", ".config")); }

std::string CacheDirectory() { return OfShoal(Base("XDG_CACHE_HOME", ".cache")); }

}  // namespace shoal
