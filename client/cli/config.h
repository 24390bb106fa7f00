// The configuration file: names of hosts, groups of them, and certificates.
//
//   [hosts]
//   node1 = "10.0.0.1:7420"             # a name for an address; an empty one is the name itself
//   [groups]
//   studio = "node[1-3],gpu1"           # "@studio"; or a list: ["node1", "node2"]
//   [tls]
//   cert = "~/.config/shoal/me.pem"     # key and ca likewise
//
// Ownership:     a value.
// Thread-safety: as a plain value.
#ifndef SHOAL_CLIENT_CLI_CONFIG_H_
#define SHOAL_CLIENT_CLI_CONFIG_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/toml_file.h"

namespace shoal::cli {

struct Config {
  std::string path;
  std::map<std::string, std::string> hosts;
  std::map<std::string, std::string> groups;  // HOSTS, comma-separated
  std::string tls_cert;
  std::string tls_key;
  std::string tls_ca;

  // The HOSTS of a group. NOT_FOUND names the known ones.
  absl::StatusOr<std::string> Group(absl::string_view name) const;

  // "Known: node1, node2, node3 (~/.config/shoal/config.toml)", or where such a file would be.
  std::string KnownHosts() const;
};

// $SHOAL_CONFIG, else $XDG_CONFIG_HOME/shoal/config.toml, else ~/.config/shoal/config.toml.
std::string ConfigPath();

// `path` with the home directory as "~".
std::string WithTilde(absl::string_view path);

// INVALID_ARGUMENT "FILE:LINE: why": a section or setting that is not known, a value that it cannot have.
absl::StatusOr<Config> MakeConfig(const TomlFile& file);

// A file that is not there is an empty configuration, unless SHOAL_CONFIG names it.
absl::StatusOr<Config> LoadConfig();

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_CONFIG_H_
