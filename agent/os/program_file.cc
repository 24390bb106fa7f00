#include "agent/os/program_file.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/escape.h"

namespace shoal::agent {
namespace {

bool IsInterpreter(absl::string_view word) {
  const absl::string_view name = word.substr(word.rfind('/') + 1);
  if (absl::StartsWith(name, "python") || absl::StartsWith(name, "pypy")) return true;
  return name == "perl" || name == "ruby" || name == "node" || name == "php";
}

// Options of Python whose value is a word of its own.
bool TakesValue(absl::string_view option) { return option == "-W" || option == "-X"; }

std::string Resolve(const std::string& path) {
  char resolved[PATH_MAX];
  return realpath(path.c_str(), resolved) == nullptr ? path : std::string(resolved);
}

std::string VersionOf(const struct stat& facts) {
  return absl::StrCat(facts.st_dev, ":", facts.st_ino, ":", facts.st_size, ":",
                      facts.st_mtim.tv_sec, ".", facts.st_mtim.tv_nsec);
}

}  // namespace

std::string SearchPathOf(const Spec& spec, absl::string_view base_path) {
  std::string path(base_path);
  for (absl::string_view entry : spec.env) {
    if (absl::ConsumePrefix(&entry, "PATH=")) path = std::string(entry);
  }
  return path;
}

std::string LocateProgram(const Spec& spec, absl::string_view base_path) {
  const std::string& word = spec.argv[0];
  struct stat facts {};
  if (absl::StartsWith(word, "/")) return stat(word.c_str(), &facts) == 0 ? word : std::string();
  const bool relative = absl::StrContains(word, '/');
  const std::string where = relative ? spec.cwd : SearchPathOf(spec, base_path);
  for (absl::string_view directory : absl::StrSplit(where, ':')) {
    std::string path = absl::StrCat(directory.empty() ? spec.cwd : directory, "/", word);
    if (stat(path.c_str(), &facts) == 0 && (relative || !S_ISDIR(facts.st_mode))) return path;
  }
  return {};
}

size_t ProgramWords(const std::vector<std::string>& argv) {
  if (!IsInterpreter(argv[0])) return 1;
  size_t next = 1;
  while (next < argv.size() && absl::StartsWith(argv[next], "-")) {
    if (argv[next] == "-m") return std::min(next + 2, argv.size());
    if (argv[next] == "-c" || argv[next] == "-") return argv.size();  // its own program each time
    next += TakesValue(argv[next]) ? 2 : 1;
  }
  return std::min(next + 1, argv.size());
}

absl::StatusOr<TemplateProgram> FindProgramFile(const Spec& spec, absl::string_view base_path) {
  struct stat facts {};
  const std::string path = LocateProgram(spec, base_path);
  if (path.empty() || stat(path.c_str(), &facts) != 0) {
    return absl::NotFoundError(absl::StrCat("no program ", EscapeForMessage(spec.argv[0])));
  }
  const size_t words = ProgramWords(spec.argv);
  TemplateProgram program{
      .key = Resolve(path),
      .version = VersionOf(facts),
      .argv = {spec.argv.begin(), spec.argv.begin() + static_cast<ptrdiff_t>(words)}};
  for (size_t i = 1; i < words; ++i) {
    std::string word = spec.argv[i];
    const std::string file = absl::StartsWith(word, "/") ? word : absl::StrCat(spec.cwd, "/", word);
    if (i + 1 == words && stat(file.c_str(), &facts) == 0) {
      word = Resolve(file);
      absl::StrAppend(&program.version, " ", VersionOf(facts));
    }
    absl::StrAppend(&program.key, " ", word);
  }
  return program;
}

}  // namespace shoal::agent
