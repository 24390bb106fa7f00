#include "shoal/process/inherited.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/status.h"

namespace shoal::internal {
namespace {

constexpr char kLibraryPath[] = "LD_LIBRARY_PATH";

absl::StatusOr<std::string> WorkingDirectory() {
  std::error_code error;
  std::filesystem::path here = std::filesystem::current_path(error);
  if (error) return ErrnoStatus(error.value(), "cannot tell the working directory");
  return here.string();
}

std::set<std::string> KeysOf(const v1::ProcessSpec& spec) {
  std::set<std::string> keys;
  for (const std::string& entry : spec.env()) keys.insert(entry.substr(0, entry.find('=')));
  return keys;
}

}  // namespace

absl::Status AddInherited(const ProcessOptions& options, v1::ProcessSpec* spec) {
  if (options.inherit_cwd) {
    SHOAL_ASSIGN_OR_RETURN(*spec->mutable_cwd(), WorkingDirectory());
  }
  if (!options.inherit_env) return absl::OkStatus();
  std::set<std::string> keys = KeysOf(*spec);
  for (char** own = environ; *own != nullptr; ++own) {
    const std::string entry = *own;
    const size_t end = entry.find('=');
    if (end == std::string::npos || end == 0) continue;  // no agent takes it
    if (keys.insert(entry.substr(0, end)).second) spec->add_env(entry);
  }
  return absl::OkStatus();
}

absl::Status AddLibraryPath(v1::ProcessSpec* spec) {
  const char* value = getenv(kLibraryPath);
  if (value == nullptr || *value == '\0' || KeysOf(*spec).contains(kLibraryPath)) {
    return absl::OkStatus();
  }
  // The process is in another directory; an empty entry is the working directory.
  std::vector<std::string> directories;
  for (absl::string_view directory : absl::StrSplit(value, absl::ByAnyChar(":;"))) {
    if (absl::StartsWith(directory, "/")) {
      directories.emplace_back(directory);
      continue;
    }
    SHOAL_ASSIGN_OR_RETURN(std::string here, WorkingDirectory());
    directories.push_back(directory.empty() ? here : absl::StrCat(here, "/", directory));
  }
  spec->add_env(absl::StrCat(kLibraryPath, "=", absl::StrJoin(directories, ":")));
  return absl::OkStatus();
}

}  // namespace shoal::internal
