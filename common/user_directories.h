// Where Shoal keeps the files of this user, by the XDG Base Directory Specification: agent, library
// and command line find each other by it.
//
// Thread-safety: thread-safe, unless another thread changes the environment.
// Errors:        a variable whose value is no absolute path counts as absent, as the specification
//                says.
#ifndef SHOAL_COMMON_USER_DIRECTORIES_H_
#define SHOAL_COMMON_USER_DIRECTORIES_H_

#include <string>

namespace shoal {

// Sockets and records. root: /run/shoal; else $XDG_RUNTIME_DIR/shoal, or /tmp/shoal-UID.
std::string RuntimeDirectory();
// Database, output, logs. root: /var/lib/shoal; else $XDG_STATE_HOME/shoal, or
// ~/.local/state/shoal.
std::string StateDirectory();
// $XDG_CONFIG_HOME/shoal, or ~/.config/shoal.
std::string ConfigDirectory();
// $XDG_CACHE_HOME/shoal, or ~/.cache/shoal; empty without HOME.
std::string CacheDirectory();

}  // namespace shoal

#endif  // SHOAL_COMMON_USER_DIRECTORIES_H_
