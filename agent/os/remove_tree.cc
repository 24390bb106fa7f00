#include "agent/os/remove_tree.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/os/directory.h"
#include "common/unique_fd.h"

namespace shoal::agent {
namespace {

// Each level costs a descriptor and a stack frame; what is deeper is moved up first.
constexpr int kMaxDepth = 32;

class TreeRemover {
 public:
  explicit TreeRemover(int root) : root_(root) {}

  // True if a deep directory was moved up, so that the root has to be looked through again.
  bool Empty(int directory, int depth) {
    std::vector<std::string> names;
    ForEachName(directory, [&names](const char* name, bool) { names.emplace_back(name); });
    bool moved = false;
    for (const std::string& name : names) {
      if (unlinkat(directory, name.c_str(), 0) == 0) continue;
      if (errno != EISDIR && errno != EPERM) continue;
      if (depth >= kMaxDepth) {
        moved = MoveUp(directory, name) || moved;
        continue;
      }
      UniqueFd below = OpenBelow(directory, name);
      if (below) moved = Empty(below.get(), depth + 1) || moved;
      unlinkat(directory, name.c_str(), AT_REMOVEDIR);
    }
    return moved;
  }

  static UniqueFd OpenBelow(int directory, const std::string& name) {
    constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    UniqueFd below(openat(directory, name.c_str(), kFlags));
    struct stat facts {};
    bool closed = !below || fstat(below.get(), &facts) != 0 || (facts.st_mode & 0700) != 0700;
    if (!closed) return below;
    // It forbids even its owner to look inside. A link cannot be meant: it was unlinked before.
    fchmodat(directory, name.c_str(), 0700, 0);
    return UniqueFd(openat(directory, name.c_str(), kFlags));
  }

 private:
  bool MoveUp(int directory, const std::string& name) {
    const std::string place = absl::StrCat(".moved-up-", ++moved_);
    return renameat(directory, name.c_str(), root_, place.c_str()) == 0;
  }

  const int root_;
  uint64_t moved_ = 0;
};

}  // namespace

bool RemoveTree(int parent, const std::string& name) {
  if (unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return true;
  UniqueFd root = TreeRemover::OpenBelow(parent, name);
  if (!root) return false;
  TreeRemover remover(root.get());
  while (remover.Empty(root.get(), 0)) {
  }
  return unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0;
}

}  // namespace shoal::agent
