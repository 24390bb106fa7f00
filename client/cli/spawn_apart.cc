#include "client/cli/spawn_apart.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace shoal::cli {
namespace {

std::vector<char*> Pointers(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

absl::StatusOr<pid_t> SpawnApart(ApartProgram program) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  const int count = static_cast<int>(program.descriptors.size());
  for (int i = 0; i < count; ++i) {
    const int fd = program.descriptors[static_cast<size_t>(i)];
    if (fd < 0) posix_spawn_file_actions_addopen(&actions, i, "/dev/null", O_RDWR, 0);
    if (fd >= 0) posix_spawn_file_actions_adddup2(&actions, fd, i);
  }
  posix_spawn_file_actions_addclosefrom_np(&actions, count);
  if (program.is_at_root) posix_spawn_file_actions_addchdir_np(&actions, "/");
  pid_t pid = 0;
  const int error =
      posix_spawn(&pid, program.path.c_str(), &actions, &attributes, Pointers(program.words).data(),
                  Pointers(program.environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return ErrnoStatus(error, program.path);
  return pid;
}

}  // namespace shoal::cli
