#include "agent/os/base_environment.h"

#include <pwd.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

namespace shoal::agent {
namespace {

constexpr char kRootPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr char kUserPath[] = "/usr/local/bin:/usr/bin:/bin";
constexpr size_t kMaxEntryBytes = 16 << 10;

}  // namespace

std::vector<std::string> BaseEnvironment() {
  const uid_t uid = geteuid();
  std::string home = "/", user = absl::StrCat(uid), shell = "/bin/sh";
  passwd entry{};
  passwd* found = nullptr;
  std::vector<char> text(kMaxEntryBytes);
  if (getpwuid_r(uid, &entry, text.data(), text.size(), &found) == 0 && found != nullptr) {
    user = found->pw_name;
    if (found->pw_dir[0] != '\0') home = found->pw_dir;
    if (found->pw_shell[0] != '\0') shell = found->pw_shell;
  }
  return {absl::StrCat("PATH=", uid == 0 ? kRootPath : kUserPath), absl::StrCat("HOME=", home),
          absl::StrCat("USER=", user), absl::StrCat("SHELL=", shell)};
}

}  // namespace shoal::agent
