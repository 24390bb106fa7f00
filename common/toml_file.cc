#include "common/toml_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>

// A file that is no TOML is a result, not an exception.
#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/escape.h"
#include "common/read_whole.h"
#include "common/spelling.h"
#include "common/status.h"
#include "common/unique_fd.h"
#include "common/utf8.h"

namespace shoal {
namespace {

constexpr size_t kMaxFileBytes = size_t{1} << 20;
constexpr size_t kMaxReasonBytes = 512;

TomlValue ValueOf(const toml::node& node) {
  if (const auto* text = node.as_string()) return {TomlValue::Kind::kText, text->get()};
  if (const auto* number = node.as_integer()) {
    return {TomlValue::Kind::kNumber, absl::StrCat(number->get())};
  }
  if (const auto* number = node.as_floating_point()) {
    return {TomlValue::Kind::kNumber, absl::StrCat(number->get())};
  }
  if (const auto* boolean = node.as_boolean()) {
    return {TomlValue::Kind::kBoolean, boolean->get() ? "true" : "false"};
  }
  return {};
}

int LineOf(const toml::key& key) { return static_cast<int>(key.source().begin.line); }

// Appends the settings of `table`, which is [section].
void AddTable(const toml::table& table, const std::string& section, TomlFile* file) {
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    const auto* inner = node.as_table();
    if (inner != nullptr && !inner->is_inline()) {
      const std::string inner_section = section.empty() ? name : absl::StrCat(section, ".", name);
      file->sections.push_back({inner_section, LineOf(key)});
      AddTable(*inner, inner_section, file);
      continue;
    }
    TomlSetting setting{
        .section = section, .key = name, .line = LineOf(key), .is_list = false, .values = {}};
    if (const auto* list = node.as_array()) {
      setting.is_list = true;
      for (const toml::node& element : *list) setting.values.push_back(ValueOf(element));
    } else {
      setting.values.push_back(ValueOf(node));
    }
    file->settings.push_back(std::move(setting));
  }
}

// The first line that holds a byte which is no UTF-8, of which toml++ names another; 0: there is none.
int LineOfNoUtf8(absl::string_view text) {
  for (int line = 1; !text.empty(); ++line) {
    const size_t end = text.find('\n');
    if (!IsUtf8(text.substr(0, end))) return line;
    text = end == absl::string_view::npos ? "" : text.substr(end + 1);
  }
  return 0;
}

bool IsAbove(const TomlSetting& a, const TomlSetting& b) { return a.line < b.line; }
bool StandsAbove(const TomlSection& a, const TomlSection& b) { return a.line < b.line; }

}  // namespace

absl::Status TomlFile::Refuse(int line, absl::string_view why) const {
  return absl::InvalidArgumentError(
      absl::StrCat(EscapeForMessage(path, path.size()), ":", line, ": ", why));
}

absl::Status TomlFile::RefuseUnknown(const TomlSetting& setting,
                                     const std::vector<std::string>& known) const {
  const std::string meant = DidYouMean(setting.key, known);
  const std::string where =
      setting.section.empty() ? "" : absl::StrCat(" in [", EscapeForMessage(setting.section), "]");
  const std::string all = absl::StrCat("known: ", absl::StrJoin(known, ", "));
  return Refuse(setting.line, absl::StrCat("there is no setting \"", EscapeForMessage(setting.key),
                                           "\"", where, "; ", meant.empty() ? all : meant));
}

absl::StatusOr<TomlFile> ParseToml(absl::string_view text, absl::string_view path) {
  TomlFile file;
  file.path = std::string(path);
  if (const int line = LineOfNoUtf8(text); line > 0) return file.Refuse(line, "this is no UTF-8");
  const toml::parse_result parsed = toml::parse(std::string_view(text.data(), text.size()));
  if (!parsed) {
    const std::string_view why = parsed.error().description();
    std::string reason = EscapeForMessage({why.data(), why.size()}, kMaxReasonBytes);
    if (!reason.empty()) reason[0] = absl::ascii_tolower(static_cast<unsigned char>(reason[0]));
    return file.Refuse(static_cast<int>(parsed.error().source().begin.line), reason);
  }
  AddTable(parsed.table(), "", &file);
  std::stable_sort(file.settings.begin(), file.settings.end(), IsAbove);
  std::stable_sort(file.sections.begin(), file.sections.end(), StandsAbove);
  return file;
}

absl::StatusOr<TomlFile> ReadToml(const std::string& path, absl::string_view shown) {
  const std::string operation =
      absl::StrCat("cannot read the configuration ", EscapeForMessage(shown, shown.size()));
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return ErrnoStatus(errno, operation);
  const absl::StatusOr<std::string> text = ReadWhole(fd.get(), kMaxFileBytes, operation);
  if (absl::IsOutOfRange(text.status())) {
    return absl::InvalidArgumentError(absl::StrCat(operation, ": it is larger than 1 MiB"));
  }
  if (!text.ok()) return text.status();
  return ParseToml(*text, shown);
}

}  // namespace shoal
