#include "shoal/process/child_program.h"

#include <errno.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "shoal/child/function_call.h"
#include "shoal/process/inherited.h"
#include "shoal/shipping.h"
#include "shoal/shipping/ship_bytes.h"
#include "shoal/shipping/shipped_here.h"

namespace shoal::internal {
namespace {

constexpr char kSelf[] = "/proc/self/exe";
constexpr char kShippedProgram[] = "./program";  // what ShipProgram() calls it

absl::StatusOr<std::string> PathOfProgram() {
  char path[PATH_MAX];
  ssize_t length = readlink(kSelf, path, sizeof(path));
  if (length < 0) return ErrnoStatus(errno, absl::StrCat("readlink ", kSelf));
  return std::string(path, static_cast<size_t>(length));
}

// The file there is the one that runs here: it was not replaced or removed since.
bool IsSelf(const std::string& path) {
  struct stat self, there;
  return stat(kSelf, &self) == 0 && stat(path.c_str(), &there) == 0 &&
         self.st_dev == there.st_dev && self.st_ino == there.st_ino;
}

void AddFiles(std::vector<v1::ShippedFile> files, v1::ProcessSpec* spec) {
  for (v1::ShippedFile& file : files) *spec->add_files() = std::move(file);
}

}  // namespace

absl::Status AddProgram(Host& host, const Work& work, v1::ProcessSpec* spec) {
  SHOAL_ASSIGN_OR_RETURN(std::string path, PathOfProgram());
  bool is_executed = spec->start_method() != v1::START_METHOD_FORK;
  const bool is_there = host.address().is_unix() && !WasShipped(path) && IsSelf(path);
  // Where this one found its libraries, that one is to find them, too; to others they are sent.
  if (is_executed && is_there) SHOAL_RETURN_IF_ERROR(AddLibraryPath(spec));
  if (is_executed && !is_there) {
    SHOAL_ASSIGN_OR_RETURN(std::vector<v1::ShippedFile> files, ShipProgram(&host));
    spec->add_env(DigestsVariable(files));
    AddFiles(std::move(files), spec);
    path = kShippedProgram;
  }
  if (work.argument.size() > kMaxInlineArgumentBytes) {
    SHOAL_ASSIGN_OR_RETURN(std::vector<v1::ShippedFile> files,
                           ShipBytes(&host, work.argument, kArgumentFile));
    AddFiles(std::move(files), spec);
  }
  spec->add_argv(path);
  spec->add_argv(work.function);
  return absl::OkStatus();
}

}  // namespace shoal::internal
