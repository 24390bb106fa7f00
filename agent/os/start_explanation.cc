#include "agent/os/start_explanation.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "agent/os/program_file.h"
#include "common/escape.h"
#include "common/unique_fd.h"

namespace shoal::agent {
namespace {

constexpr size_t kMaxHead = 256;  // BINPRM_BUF_SIZE: the kernel reads no more of a #! line

bool IsFile(const std::string& path, struct stat* facts) { return stat(path.c_str(), facts) == 0; }

std::string HeadOf(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  char head[kMaxHead];
  const ssize_t got = fd ? read(fd.get(), head, sizeof(head)) : -1;
  return got > 0 ? std::string(head, static_cast<size_t>(got)) : std::string();
}

std::string ExplainMissing(const std::string& path) {
  const std::string text = HeadOf(path);
  absl::string_view head = text;
  if (absl::ConsumePrefix(&head, "#!")) {
    const absl::string_view line = head.substr(0, head.find('\n'));
    const std::vector<absl::string_view> words =
        absl::StrSplit(absl::StripAsciiWhitespace(line), absl::ByAnyChar(" \t"), absl::SkipEmpty());
    const std::string interpreter = words.empty() ? std::string() : std::string(words[0]);
    std::string why = absl::StrCat("interpreter of '", EscapeForMessage(path),
                                   "' not found: ", EscapeForMessage(interpreter));
    if (absl::EndsWith(line, "\r")) absl::StrAppend(&why, "; its lines end in \\r\\n");
    return why;
  }
  if (absl::StartsWith(head, "\177ELF")) {
    return absl::StrCat("the dynamic loader that '", EscapeForMessage(path),
                        "' names is not on this host");
  }
  return {};
}

std::string ExplainRefused(const std::string& path) {
  struct stat facts {};
  if (!IsFile(path, &facts)) return {};
  if (S_ISDIR(facts.st_mode)) return "it is a directory";
  if (!S_ISREG(facts.st_mode)) return "it is not a regular file";
  if ((facts.st_mode & 0111) == 0) {
    return absl::StrFormat("it is not executable, mode %04o", facts.st_mode & 07777);
  }
  return {};
}

std::string ExplainFormat(const std::string& path) {
  const std::string head = HeadOf(path);
  if (head.empty()) return "it is empty";
  if (absl::StartsWith(head, "\177ELF")) return "it is built for another processor";
  return "it is neither a program for this processor nor does it begin with #!";
}

}  // namespace

std::string ExplainStart(const Spec& spec, absl::string_view base_path, record::Stage stage,
                         int error_number) {
  if (stage != record::Stage::kExec || spec.argv.empty()) return {};
  const std::string path = LocateProgram(spec, base_path);
  if (path.empty()) {
    const bool searched = error_number == ENOENT && !absl::StrContains(spec.argv[0], '/');
    return searched ? absl::StrCat("not found in PATH ",
                                   EscapeForMessage(SearchPathOf(spec, base_path), 256))
                    : std::string();
  }
  switch (error_number) {
    case ENOENT:
      return ExplainMissing(path);
    case EACCES:
      return ExplainRefused(path);
    case ENOEXEC:
      return ExplainFormat(path);
    default:
      return {};
  }
}

}  // namespace shoal::agent
