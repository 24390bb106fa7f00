#include "common/private_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/status.h"

namespace shoal {
namespace {

constexpr mode_t kOthers = 077;

// What fails here shows when the directory itself is made.
void MakeParents(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    mkdir(path.substr(0, slash).c_str(), 0755);
  }
}

}  // namespace

absl::Status MakePrivateDirectory(const std::string& path, absl::string_view what) {
  MakeParents(path);
  if (mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return ErrnoStatus(errno, absl::StrCat("mkdir ", what, " ", path));
  }
  struct stat facts {};
  if (lstat(path.c_str(), &facts) != 0) {
    return ErrnoStatus(errno, absl::StrCat("stat ", what, " ", path));
  }
  if (!S_ISDIR(facts.st_mode)) {
    return absl::FailedPreconditionError(absl::StrCat(what, " ", path, " is not a directory"));
  }
  if (facts.st_uid != geteuid()) {
    return absl::FailedPreconditionError(absl::StrCat(what, " ", path, " belongs to uid ",
                                                      facts.st_uid, ", not to uid ", geteuid()));
  }
  if ((facts.st_mode & kOthers) != 0) {
    // Of what the whole system uses, /tmp or /var/lib, the mode must not be changed.
    const char* const way = (facts.st_mode & S_ISVTX) != 0
                                ? "name one below it"
                                : "name one of its own, or chmod 700 this one";
    return absl::FailedPreconditionError(absl::StrFormat("%s %s has mode %04o, open to others; %s",
                                                         what, path, facts.st_mode & 07777, way));
  }
  return absl::OkStatus();
}

}  // namespace shoal
