#include "agent/spec/spec_checks.h"

#include <sys/resource.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "agent/record/record_layout.h"
#include "agent/spec/field_checks.h"
#include "agent/spec/file_checks.h"
#include "agent/spec/spec.h"
#include "common/escape.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr size_t kMaxPathBytes = 4095;
constexpr size_t kMaxStartedByBytes = 512;
constexpr size_t kMaxTermBytes = 64;
constexpr int kMaxTerminalSide = 65'535;  // struct winsize has 16 bits for it
constexpr int64_t kMaxCapBytes = int64_t{1} << 50;

absl::Status Invalid(absl::string_view message) { return absl::InvalidArgumentError(message); }

std::string Quoted(absl::string_view bytes) {
  return absl::StrCat("'", EscapeForMessage(bytes), "'");
}

// One of argv or env, as execve(2) would take it.
absl::Status CheckWord(absl::string_view field, absl::string_view word) {
  SHOAL_RETURN_IF_ERROR(CheckNoNul(field, word));
  if (word.size() <= kMaxArgumentBytes) return absl::OkStatus();
  return Invalid(absl::StrCat(field, " is ", word.size(), " bytes, limit ", kMaxArgumentBytes));
}

absl::Status CheckArguments(const v1::ProcessSpec& proto) {
  if (proto.argv_size() == 0) return Invalid("argv is empty: it must name a program");
  if (proto.argv_size() > kMaxArguments) {
    return Invalid(absl::StrCat("argc ", proto.argv_size(), " > ", kMaxArguments));
  }
  for (int i = 0; i < proto.argv_size(); ++i) {
    SHOAL_RETURN_IF_ERROR(CheckWord(absl::StrCat("argv[", i, "]"), proto.argv(i)));
  }
  const std::string& program = proto.argv(0);
  if (program.empty()) return Invalid("argv[0] is empty: it must name a program");
  bool relative = program[0] != '/' && program.find('/') != std::string::npos;
  const bool has_directory = !proto.cwd().empty() || !proto.beside().empty();
  if (relative && !has_directory && !RunsShippedProgram(program, FilesOf(proto))) {
    return Invalid(absl::StrCat("argv[0] ", Quoted(program), " is relative: give cwd, or ",
                                proto.files_size() > 0 ? "'./' and the path of one of files, " : "",
                                "or an absolute path"));
  }
  return absl::OkStatus();
}

absl::Status CheckEnvironment(const v1::ProcessSpec& proto) {
  absl::flat_hash_map<absl::string_view, int> seen;
  if (proto.env_size() > kMaxArguments) {
    return Invalid(absl::StrCat("env has ", proto.env_size(), " entries, limit ", kMaxArguments));
  }
  for (int i = 0; i < proto.env_size(); ++i) {
    std::string field = absl::StrCat("env[", i, "]");
    absl::string_view entry = proto.env(i);
    SHOAL_RETURN_IF_ERROR(CheckWord(field, entry));
    size_t equals = entry.find('=');
    if (equals == absl::string_view::npos) return Invalid(absl::StrCat(field, " has no '='"));
    if (equals == 0) return Invalid(absl::StrCat(field, " has an empty key"));
    auto [earlier, is_new] = seen.emplace(entry.substr(0, equals), i);
    if (!is_new) {
      return Invalid(absl::StrCat(field, " repeats the key ", Quoted(earlier->first), " of env[",
                                  earlier->second, "]"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTotal(const v1::ProcessSpec& proto, const SpecLimits& limits) {
  size_t total = 0;
  for (const std::string& word : proto.argv()) total += word.size() + 1 + sizeof(char*);
  for (const std::string& word : proto.env()) total += word.size() + 1 + sizeof(char*);
  if (total <= limits.max_total_bytes) return absl::OkStatus();
  return Invalid(
      absl::StrCat("argv and env are ", total, " bytes together, limit ", limits.max_total_bytes));
}

// Absolute, or empty.
absl::Status CheckPath(absl::string_view field, const std::string& path) {
  SHOAL_RETURN_IF_ERROR(CheckNoNul(field, path));
  if (path.size() > kMaxPathBytes) {
    return Invalid(absl::StrCat(field, " is ", path.size(), " bytes, limit ", kMaxPathBytes));
  }
  if (path.empty() || path[0] == '/') return absl::OkStatus();
  return Invalid(absl::StrCat(field, " ", Quoted(path), " is not absolute"));
}

absl::Status CheckInput(const v1::InputSpec& input) {
  if (input.source_case() == v1::InputSpec::kFile && input.file().empty()) {
    return Invalid("input.file is empty: it must name a file of the host");
  }
  SHOAL_RETURN_IF_ERROR(CheckPath("input.file", input.file()));
  const int64_t window = input.stream().window_bytes();
  if (window == 0 || (window >= record::kMinInputWindow && window <= record::kMaxInputWindow)) {
    return absl::OkStatus();
  }
  return Invalid(absl::StrCat("input.stream.window_bytes is ", window, ", must be ",
                              record::kMinInputWindow, " to ", record::kMaxInputWindow,
                              ", or 0 for ", record::kDefaultInputWindow));
}

absl::Status CheckTerminal(const v1::ProcessSpec& proto) {
  if (!proto.has_terminal()) return absl::OkStatus();
  if (proto.input().source_case() == v1::InputSpec::kFile) {
    return Invalid("input.file is given with terminal: what a terminal reads is written to it");
  }
  const v1::TerminalSpec& terminal = proto.terminal();
  SHOAL_RETURN_IF_ERROR(CheckTerminalSize("terminal", terminal.rows(), terminal.columns()));
  const auto is_good = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
           absl::string_view("+._-").find(c) != absl::string_view::npos;
  };
  const std::string& term = terminal.term();
  if (term.size() <= kMaxTermBytes && std::all_of(term.begin(), term.end(), is_good)) {
    return absl::OkStatus();
  }
  return Invalid(absl::StrCat("terminal.term ", Quoted(term), " must match [A-Za-z0-9+._-]{1,64}"));
}

absl::Status CheckLabels(const v1::ProcessSpec& proto) {
  SHOAL_RETURN_IF_ERROR(CheckCount("labels", static_cast<int>(proto.labels().size()), kMaxLabels));
  for (const auto& [key, value] : proto.labels()) SHOAL_RETURN_IF_ERROR(CheckLabel(key, value));
  return absl::OkStatus();
}

absl::Status CheckEnums(const v1::ProcessSpec& proto) {
  if (!v1::Lifetime_IsValid(proto.lifetime())) {
    return Invalid(absl::StrCat("unknown Lifetime ", proto.lifetime()));
  }
  if (!v1::DescendantPolicy_IsValid(proto.descendants())) {
    return Invalid(absl::StrCat("unknown DescendantPolicy ", proto.descendants()));
  }
  if (!v1::OverflowPolicy_IsValid(proto.output().overflow())) {
    return Invalid(absl::StrCat("unknown OverflowPolicy ", proto.output().overflow()));
  }
  if (!v1::StartMethod_IsValid(proto.start_method())) {
    return Invalid(absl::StrCat("unknown StartMethod ", proto.start_method()));
  }
  return absl::OkStatus();
}

absl::Status CheckForkOf(const v1::ProcessSpec& proto) {
  const bool is_fork = proto.start_method() == v1::START_METHOD_FORK;
  if (is_fork && proto.fork_of().empty()) {
    return Invalid(
        "start_method FORK needs fork_of: the name or id of a process that offers itself");
  }
  if (!is_fork && !proto.fork_of().empty()) {
    return Invalid(
        absl::StrCat("fork_of ", Quoted(proto.fork_of()), " is given without start_method FORK"));
  }
  if (!is_fork && proto.start_method() != v1::START_METHOD_FORKSERVER && proto.has_fork_wait()) {
    return Invalid("fork_wait is given without start_method FORK or FORKSERVER");
  }
  SHOAL_RETURN_IF_ERROR(CheckNoNul("fork_of", proto.fork_of()));
  SHOAL_RETURN_IF_ERROR(CheckNoNul("started_by", proto.started_by()));
  if (proto.started_by().size() <= kMaxStartedByBytes) return absl::OkStatus();
  return Invalid(absl::StrCat("started_by is ", proto.started_by().size(), " bytes, limit ",
                              kMaxStartedByBytes));
}

absl::Status CheckBeside(const v1::ProcessSpec& proto) {
  if (proto.beside().empty()) return absl::OkStatus();
  const bool is_spawn = proto.start_method() == v1::START_METHOD_UNSPECIFIED ||
                        proto.start_method() == v1::START_METHOD_SPAWN;
  if (is_spawn) return CheckNoNul("beside", proto.beside());
  return Invalid(absl::StrCat("beside ", Quoted(proto.beside()),
                              " is given with another start_method than SPAWN"));
}

}  // namespace

SpecLimits LimitsOfThisProcess() {
  SpecLimits limits;
  rlimit stack{};
  if (getrlimit(RLIMIT_STACK, &stack) == 0 && stack.rlim_cur != RLIM_INFINITY) {
    limits.max_total_bytes = std::min<size_t>(limits.max_total_bytes, stack.rlim_cur / 4);
  }
  return limits;
}

absl::Status CheckTerminalSize(absl::string_view field, int rows, int columns) {
  for (const auto& [name, side] : {std::pair("rows", rows), std::pair("columns", columns)}) {
    if (side >= 1 && side <= kMaxTerminalSide) continue;
    return Invalid(
        absl::StrCat(field, ".", name, " is ", side, ", must be 1 to ", kMaxTerminalSide));
  }
  return absl::OkStatus();
}

absl::Status CheckName(absl::string_view name) {
  auto is_good = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  };
  bool good = name.size() <= kMaxNameBytes && (name.empty() || name[0] != '.') &&
              std::all_of(name.begin(), name.end(), is_good);
  if (good) return absl::OkStatus();
  return Invalid(
      absl::StrCat("name ", Quoted(name), " must match [A-Za-z0-9._-]{1,128}, not start with '.'"));
}

absl::Status CheckSpec(const v1::ProcessSpec& proto, const SpecLimits& limits) {
  SHOAL_RETURN_IF_ERROR(CheckFiles(proto));
  SHOAL_RETURN_IF_ERROR(CheckArguments(proto));
  SHOAL_RETURN_IF_ERROR(CheckEnvironment(proto));
  SHOAL_RETURN_IF_ERROR(CheckTotal(proto, limits));
  SHOAL_RETURN_IF_ERROR(CheckPath("cwd", proto.cwd()));
  SHOAL_RETURN_IF_ERROR(CheckInput(proto.input()));
  SHOAL_RETURN_IF_ERROR(CheckTerminal(proto));
  SHOAL_RETURN_IF_ERROR(CheckName(proto.name()));
  SHOAL_RETURN_IF_ERROR(CheckEnums(proto));
  SHOAL_RETURN_IF_ERROR(CheckForkOf(proto));
  SHOAL_RETURN_IF_ERROR(CheckBeside(proto));
  return CheckLabels(proto);
}

absl::Status CheckSpec(const Spec& spec, bool has_session) {
  if (spec.lifetime == Lifetime::kSession && !has_session) {
    return Invalid("lifetime SESSION needs a session_id");
  }
  if (spec.lifetime == Lifetime::kDetached && spec.daemon) {
    return Invalid("daemon needs lifetime SESSION: a DETACHED process has no program to end with");
  }
  if (spec.cap_bytes >= record::kMinCapBytes && spec.cap_bytes <= kMaxCapBytes) {
    return absl::OkStatus();
  }
  return Invalid(absl::StrCat("output.cap_bytes is ", spec.cap_bytes, ", must be ",
                              record::kMinCapBytes, " to ", kMaxCapBytes));
}

}  // namespace shoal::agent
