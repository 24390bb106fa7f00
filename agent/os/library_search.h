// Which shared libraries the dynamic linker of this host finds: those of /etc/ld.so.cache, and of
// its default directories.
//
// Ownership:     by the service that asks.
// Thread-safety: one thread at a time.
// Blocking:      on the file system; the cache is read when it has changed.
#ifndef SHOAL_AGENT_OS_LIBRARY_SEARCH_H_
#define SHOAL_AGENT_OS_LIBRARY_SEARCH_H_

#include <sys/types.h>
#include <time.h>

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace shoal::agent {

// Soname → path, of the libraries that the cache has for programs like this one. Empty if `bytes`
// are not a cache that this code knows: glibc's "glibc-ld.so.cache1.1", alone or behind the older
// format.
absl::flat_hash_map<std::string, std::string> ParseLibraryCache(absl::string_view bytes);

class LibrarySearch {
 public:
  LibrarySearch();
  LibrarySearch(std::string cache_path, std::vector<std::string> directories);

  // Those of `sonames` that would not be found, in their order.
  std::vector<std::string> FindMissing(const std::vector<std::string>& sonames);

 private:
  void Refresh();
  bool Finds(const std::string& soname) const;

  const std::string cache_path_;
  const std::vector<std::string> directories_;
  // Tells whether the cache is the one that was read.
  ino_t inode_ = 0;
  off_t size_ = -1;
  timespec change_time_{};
  absl::flat_hash_map<std::string, std::string> libraries_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_LIBRARY_SEARCH_H_
