#include "client/cli/config.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <fstream>
#include <sstream>

#include "CLI/CLI.hpp"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/escape.h"
#include "common/status.h"
#include "common/user_directories.h"

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

// Puts one setting where it belongs; false if there is no such setting.
bool Apply(const std::string& section, const std::string& name, const std::string& value,
           Config* config) {
  if (section == "hosts") {
    config->hosts[name] = value;
  } else if (section == "groups") {
    config->groups[name] = value;
  } else if (section == "tls" && name == "cert") {
    config->tls_cert = ExpandTilde(value);
  } else if (section == "tls" && name == "key") {
    config->tls_key = ExpandTilde(value);
  } else if (section == "tls" && name == "ca") {
    config->tls_ca = ExpandTilde(value);
  } else {
    return false;
  }
  return true;
}

}  // namespace

absl::StatusOr<std::string> Config::Group(absl::string_view name) const {
  auto found = groups.find(std::string(name));
  if (found != groups.end()) return found->second;
  return absl::NotFoundError(absl::StrCat(
      "there is no group \"@", EscapeForMessage(name), "\"; ",
      groups.empty() ? "[groups] has none" : absl::StrCat("known: ", Names(groups, "@")), " (",
      WithTilde(path), ")"));
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

absl::StatusOr<Config> ParseConfig(absl::string_view text, absl::string_view path) {
  Config config;
  config.path = std::string(path);
  std::vector<CLI::ConfigItem> items;
  try {
    std::istringstream stream{std::string(text)};
    items = CLI::ConfigTOML().from_config(stream);
  } catch (const std::exception& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", EscapeForMessage(error.what(), 512)));
  }
  for (const CLI::ConfigItem& item : items) {
    if (item.name == "++" || item.name == "--") continue;  // where a section begins and ends
    std::string section = absl::StrJoin(item.parents, ".");
    if (Apply(section, item.name, absl::StrJoin(item.inputs, ","), &config)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        WithTilde(path), ": there is no setting \"", EscapeForMessage(item.name), "\" in ",
        section.empty() ? "the top level" : absl::StrCat("[", EscapeForMessage(section), "]"),
        "; known are [hosts], [groups] and [tls] with cert, key, ca"));
  }
  return config;
}

absl::StatusOr<Config> LoadConfig() {
  std::string path = ConfigPath();
  std::ifstream file(path);
  if (!file) {
    int error = errno;
    Config empty;
    empty.path = path;
    bool required = !Environment("SHOAL_CONFIG").empty();
    if (!required && (error == ENOENT || error == ENOTDIR || error == EACCES)) return empty;
    return ErrnoStatus(error, absl::StrCat("cannot read the configuration ", path));
  }
  std::ostringstream text;
  text << file.rdbuf();
  return ParseConfig(text.str(), path);
}

}  // namespace shoal::cli
