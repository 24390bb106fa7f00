#include "agent/os/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "common/unique_fd.h"

namespace shoal::agent {
namespace {

// A user may nest his cgroups as deep as he likes; each level costs a descriptor here.
constexpr int kMaxDepth = 32;

UniqueFd OpenBelow(int directory, const char* name) {
  return UniqueFd(openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

bool IsGone(int error_number) { return error_number == ENOENT || error_number == ENODEV; }

// A file system that counts directories by their links, as cgroupfs does, has two for one without any
// below it; others have one whatever is there.
bool HasNoneBelow(int directory) {
  struct stat facts {};
  return fstat(directory, &facts) == 0 && facts.st_nlink == 2;
}

bool VisitDirectories(int directory, int depth, absl::FunctionRef<void(int)> visit) {
  visit(directory);
  if (depth >= kMaxDepth || HasNoneBelow(directory)) return true;
  std::vector<std::string> names;
  bool is_whole = ForEachName(directory, [&names](const char* name, bool is_directory) {
    if (is_directory) names.emplace_back(name);
  });
  for (const std::string& name : names) {
    UniqueFd below = OpenBelow(directory, name.c_str());
    if (!below) {
      is_whole = is_whole && IsGone(errno);
      continue;
    }
    is_whole = VisitDirectories(below.get(), depth + 1, visit) && is_whole;
  }
  return is_whole;
}

void RemoveBelow(int directory, int depth) {
  for (const std::string& name : SubdirectoriesOf(directory)) {
    if (depth < kMaxDepth) {
      UniqueFd below = OpenBelow(directory, name.c_str());
      if (below) RemoveBelow(below.get(), depth + 1);
    }
    unlinkat(directory, name.c_str(), AT_REMOVEDIR);
  }
}

}  // namespace

bool ForEachName(int directory,
                 absl::FunctionRef<void(const char* name, bool is_directory)> visit) {
  UniqueFd fd = OpenBelow(directory, ".");
  if (!fd) return false;
  DIR* stream = fdopendir(fd.get());
  if (stream == nullptr) return false;
  fd.Release();
  while (const dirent* entry = readdir(stream)) {
    if (std::strcmp(entry->d_name, ".") == 0 || std::strcmp(entry->d_name, "..") == 0) continue;
    visit(entry->d_name, entry->d_type == DT_DIR);
  }
  closedir(stream);
  return true;
}

std::vector<std::string> SubdirectoriesOf(int directory) {
  std::vector<std::string> names;
  ForEachName(directory, [&names](const char* name, bool is_directory) {
    if (is_directory) names.emplace_back(name);
  });
  return names;
}

bool ForEachDirectory(int directory, absl::FunctionRef<void(int)> visit) {
  return VisitDirectories(directory, 0, visit);
}

void RemoveEmptyBelow(int directory) { RemoveBelow(directory, 0); }

}  // namespace shoal::agent
