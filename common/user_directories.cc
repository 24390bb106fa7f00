#include "common/user_directories.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

// HOME, or what the passwd database has, as for a program of cron; empty if neither is an absolute path.
std::string Home() {
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') return home;
  std::array<char, 4096> room;
  passwd entry{};
  passwd* found = nullptr;
  if (getpwuid_r(geteuid(), &entry, room.data(), room.size(), &found) != 0 || found == nullptr)
    return "";
  return found->pw_dir[0] == '/' ? found->pw_dir : "";
}

// The variable's directory, or `fallback` below HOME; empty if neither is an absolute path.
std::string Base(const char* variable, const char* fallback) {
  const char* base = std::getenv(variable);
  if (base != nullptr && base[0] == '/') return base;
  const std::string home = Home();
  return home.empty() ? home : absl::StrCat(home, "/", fallback);
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
