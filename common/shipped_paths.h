// How shipped files may be called: paths that stay below the directory of a process's files.
//
// Ownership:     owns what it was given.
// Thread-safety: one caller at a time.
// Blocking:      never blocks.
// Errors:        INVALID_ARGUMENT names the field and the reason, user bytes escaped.
#ifndef SHOAL_COMMON_SHIPPED_PATHS_H_
#define SHOAL_COMMON_SHIPPED_PATHS_H_

#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace shoal {

// The paths of the files of one process.
class ShippedPaths {
 public:
  // `field` is how the path is called in an error: "files[3].path", "--ship: the name".
  absl::Status Add(absl::string_view field, const std::string& path, bool is_library);

 private:
  std::set<std::string> paths_;
};

}  // namespace shoal

#endif  // SHOAL_COMMON_SHIPPED_PATHS_H_
