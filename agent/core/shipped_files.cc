#include "agent/core/shipped_files.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

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

// Replaces the variable, or adds it.
void Set(absl::string_view key, absl::string_view value, std::vector<std::string>* env) {
  const std::string prefix = absl::StrCat(key, "=");
  auto found = absl::c_find_if(
      *env, [&](const std::string& variable) { return absl::StartsWith(variable, prefix); });
  if (found == env->end()) found = env->insert(found, std::string());
  *found = absl::StrCat(prefix, value);
}

std::string ValueOf(absl::string_view key, const std::vector<std::string>& env) {
  const std::string prefix = absl::StrCat(key, "=");
  for (absl::string_view variable : env) {
    if (absl::ConsumePrefix(&variable, prefix)) return std::string(variable);
  }
  return {};
}

}  // namespace

void StartBesideFiles(const Spec& spec, const std::string& directory, ShimStart* start) {
  start->argv[0] = ProgramOf(spec, directory);
  if (start->cwd.empty()) start->cwd = directory;
  Set("SHOAL_FILES", directory, &start->env);
  std::vector<std::string> libraries = LibraryDirectories(spec, directory);
  if (libraries.empty()) return;
  std::string given = ValueOf("LD_LIBRARY_PATH", start->env);
  if (!given.empty()) libraries.push_back(std::move(given));
  Set("LD_LIBRARY_PATH", absl::StrJoin(libraries, ":"), &start->env);
}

Spec AsStarted(const Spec& spec, const std::string& directory) {
  Spec started = spec;
  if (spec.files.empty()) return started;
  started.argv[0] = ProgramOf(spec, directory);
  if (started.cwd.empty()) started.cwd = directory;
  return started;
}

}  // namespace shoal::agent
