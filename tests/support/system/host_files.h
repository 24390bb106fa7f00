// The file system of a host of a test, where the test makes its hosts itself: the system's files
// are those of this machine, and nothing of the test's own is there but what the host is given.
//
// A mount namespace, with empty directories over those of the test. It has no name: it goes with
// its last process and descriptor, even when the test is killed.
//
// Ownership:     by its descriptor: the holder owns it. A process enters the namespace as root.
// Thread-safety: thread-safe.
#ifndef SHOAL_TESTS_SUPPORT_SYSTEM_HOST_FILES_H_
#define SHOAL_TESTS_SUPPORT_SYSTEM_HOST_FILES_H_

#include <string>
#include <vector>

#include "common/unique_fd.h"

namespace shoal::testing {

// `hidden`: directories that are empty there; `kept`: files and directories in them that exist,
// and are there all the same. None, and a failure, if it cannot be made.
UniqueFd MakeHostFiles(const std::vector<std::string>& hidden,
                       const std::vector<std::string>& kept);

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_SYSTEM_HOST_FILES_H_
