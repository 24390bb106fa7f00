#include "client/cli/config.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdlib>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "common/escape.h"
#include "common/spelling.h"
#include "common/status.h"
#include "common/user_directories.h"
#include "shoal/host_list.h"

namespace shoal::cli {
namespace {

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string ExpandTilde(const std::string& path) {
  if (path != "~" && !absl::StartsWith(path, "~/")) return path;
  return absl::StrCat(Environment("HOME"), path.substr(1));
}

template <typename Map>
std::string Names(const Map& map, absl::string_view prefix) {
  return absl::StrJoin(map, ", ", [&](std::string* out, const auto& entry) {
    absl::StrAppend(out, prefix, entry.first);
  });
}

const std::vector<std::string>& Sections() {
  static const auto* const kSections = new std::vector<std::string>{"hosts", "groups", "tls"};
  return *kSections;
}

absl::Status CheckSection(const TomlFile& file, const TomlSection& section) {
  if (absl::c_linear_search(Sections(), section.name)) return absl::OkStatus();
  for (absl::string_view map : {"hosts", "groups"}) {
    absl::string_view name = section.name;
    if (!absl::ConsumePrefix(&name, absl::StrCat(map, "."))) continue;
    return file.Refuse(section.line, absl::StrCat("a name with a dot stands in quotes in [", map,
                                                  "], as \"", EscapeForMessage(name), ".…\""));
  }
  const std::string meant = DidYouMean(section.name, Sections());
  return file.Refuse(section.line,
                     absl::StrCat("there is no section [", EscapeForMessage(section.name), "]; ",
                                  meant.empty() ? "known: [hosts], [groups], [tls]" : meant));
}

bool IsText(const TomlValue& value) { return value.kind == TomlValue::Kind::kText; }

// The text of a setting that is one; a list of them, with commas, where that may be.
absl::StatusOr<std::string> TextOf(const TomlFile& file, const TomlSetting& setting,
                                   bool may_be_list, absl::string_view wanted) {
  if (absl::c_all_of(setting.values, IsText) && (may_be_list || !setting.is_list)) {
    return absl::StrJoin(setting.values, ",",
                         [](std::string* out, const TomlValue& value) { out->append(value.text); });
  }
  return file.Refuse(setting.line,
                     absl::StrCat(EscapeForMessage(setting.key), " is to be ", wanted));
}

// An entry of [hosts]: one address, or nothing.
absl::Status CheckAddress(const TomlFile& file, const TomlSetting& setting,
                          const std::string& text) {
  if (text.empty()) return absl::OkStatus();
  const absl::StatusOr<std::vector<HostAddress>> meant = ParseHostList(text);
  if (meant.ok() && meant->size() == 1) return absl::OkStatus();
  return file.Refuse(setting.line,
                     absl::StrCat(EscapeForMessage(setting.key), " = \"", EscapeForMessage(text),
                                  "\" is not one address",
                                  meant.ok() ? "" : absl::StrCat(": ", meant.status().message())));
}

// An entry of [groups], once all groups are known.
absl::Status CheckGroup(const TomlFile& file, const TomlSetting& setting, const Config& config) {
  if (setting.section != "groups") return absl::OkStatus();
  const auto group_of = [&config](absl::string_view name) { return config.Group(name); };
  absl::Status members = ParseHostList(config.groups.at(setting.key), group_of).status();
  if (members.ok()) return members;
  return file.Refuse(setting.line,
                     absl::StrCat("@", EscapeForMessage(setting.key), ": ", members.message()));
}

// Puts one setting where it belongs.
absl::Status Apply(const TomlFile& file, const TomlSetting& setting, Config* config) {
  if (setting.section == "hosts") {
    SHOAL_ASSIGN_OR_RETURN(const std::string text,
                           TextOf(file, setting, false, "an address in quotes: \"10.0.0.1:7420\""));
    SHOAL_RETURN_IF_ERROR(CheckAddress(file, setting, text));
    config->hosts[setting.key] = text;
    return absl::OkStatus();
  }
  if (setting.section == "groups") {
    SHOAL_ASSIGN_OR_RETURN(
        config->groups[setting.key],
        TextOf(file, setting, true, "hosts in quotes: \"node[1-3],gpu1\", or a list of such"));
    return absl::OkStatus();
  }
  if (setting.section.empty()) {
    return file.Refuse(setting.line,
                       absl::StrCat("\"", EscapeForMessage(setting.key),
                                    "\" stands in no section; known: [hosts], [groups], [tls]"));
  }
  const std::map<std::string, std::string*> of_tls = {
      {"cert", &config->tls_cert}, {"key", &config->tls_key}, {"ca", &config->tls_ca}};
  const auto found = of_tls.find(setting.key);
  if (found == of_tls.end()) return file.RefuseUnknown(setting, {"cert", "key", "ca"});
  SHOAL_ASSIGN_OR_RETURN(const std::string text,
                         TextOf(file, setting, false, "the path of a PEM file in quotes"));
  *found->second = ExpandTilde(text);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> Config::Group(absl::string_view name) const {
  auto found = groups.find(std::string(name));
  if (found != groups.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [group, members] : groups) known.push_back(absl::StrCat("@", group));
  const std::string meant = DidYouMean(absl::StrCat("@", name), known);
  if (!meant.empty()) {
    return absl::NotFoundError(absl::StrCat("there is no group \"@", EscapeForMessage(name),
                                            "\" in ", WithTilde(path), "; ", meant));
  }
  std::string hint;
  if (hint.empty() && groups.empty()) hint = "[groups] has none";
  if (hint.empty()) hint = absl::StrCat("known: ", Names(groups, "@"));
  return absl::NotFoundError(absl::StrCat("there is no group \"@", EscapeForMessage(name), "\"; ",
                                          hint, " (", WithTilde(path), ")"));
}

std::string Config::KnownHosts() const {
  if (hosts.empty()) return "";
  return absl::StrCat("Known: ", Names(hosts, ""), " (", WithTilde(path), ")");
}

std::string ConfigPath() {
  std::string path = Environment("SHOAL_CONFIG");
  if (!path.empty()) return path;
  return absl::StrCat(ConfigDirectory(), "/config.toml");
}

std::string WithTilde(absl::string_view path) {
  std::string home = Environment("HOME");
  if (home.size() > 1 && absl::StartsWith(path, absl::StrCat(home, "/"))) {
    return absl::StrCat("~", path.substr(home.size()));
  }
  return std::string(path);
}

absl::StatusOr<Config> MakeConfig(const TomlFile& file) {
  Config config;
  config.path = file.path;
  for (const TomlSection& section : file.sections) {
    SHOAL_RETURN_IF_ERROR(CheckSection(file, section));
  }
  for (const TomlSetting& setting : file.settings) {
    SHOAL_RETURN_IF_ERROR(Apply(file, setting, &config));
  }
  for (const TomlSetting& setting : file.settings) {
    SHOAL_RETURN_IF_ERROR(CheckGroup(file, setting, config));
  }
  return config;
}

absl::StatusOr<Config> LoadConfig() {
  const std::string path = ConfigPath();
  const bool is_named = !Environment("SHOAL_CONFIG").empty();
  struct stat file_there = {};
  // EACCES: it may be there, in a directory of another user.
  const bool is_there = stat(path.c_str(), &file_there) == 0;
  if (!is_named && !is_there && (errno == ENOENT || errno == ENOTDIR || errno == EACCES)) {
    Config empty;
    empty.path = path;
    return empty;
  }
  SHOAL_ASSIGN_OR_RETURN(const TomlFile file, ReadToml(path, WithTilde(path)));
  return MakeConfig(file);
}

}  // namespace shoal::cli
