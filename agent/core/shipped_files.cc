#include "agent/core/shipped_files.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

namespace shoal::agent {
namespace {

// With a working directory of its own the program is named by its whole path.
std::string ProgramOf(const Spec& spec, const std::string& directory) {
  const std::string& program = spec.argv[0];
  if (spec.cwd.empty() || !RunsShippedProgram(program, spec.files)) return program;
  return absl::StrCat(directory, "/", program.substr(2));
}

std::vector<std::string> LibraryDirectories(const Spec& spec, const std::string& directory) {
  std::vector<std::string> directories;
  for (const SpecFile& file : spec.files) {
    if (!file.library) continue;
    const size_t slash = file.path.rfind('/');
    std::string below = slash == std::string::npos
                            ? directory
                            : absl::StrCat(directory, "/", file.path.substr(0, slash));
    if (!absl::c_linear_search(directories, below)) directories.push_back(std::move(below));
  }
  return directories;
}

}  // namespace

void StartBesideFiles(const Spec& spec, const std::string& directory, ShimStart* start,
                      Environment* env) {
  start->argv[0] = ProgramOf(spec, directory);
  if (start->cwd.empty()) start->cwd = directory;
  env->PutOwn(absl::StrCat("SHOAL_FILES=", directory));
  std::vector<std::string> libraries = LibraryDirectories(spec, directory);
  if (libraries.empty()) return;
  const absl::string_view given = env->ValueOf("LD_LIBRARY_PATH");
  if (!given.empty()) libraries.emplace_back(given);
  env->PutOwn(absl::StrCat("LD_LIBRARY_PATH=", absl::StrJoin(libraries, ":")));
}

Spec AsStarted(const Spec& spec, const std::string& directory) {
  Spec started = spec;
  if (spec.files.empty()) return started;
  started.argv[0] = ProgramOf(spec, directory);
  if (started.cwd.empty()) started.cwd = directory;
  return started;
}

}  // namespace shoal::agent
