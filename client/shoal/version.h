// The version of libshoal.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_SHOAL_VERSION_H_
#define SHOAL_CLIENT_SHOAL_VERSION_H_

#include "absl/strings/string_view.h"

namespace shoal {

// Such as "0.2.0", as the build was configured (project() in CMakeLists.txt).
absl::string_view Version();

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_VERSION_H_
