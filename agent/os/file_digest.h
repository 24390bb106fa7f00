// The SHA-256 of what is in a file.
//
// Thread-safety: thread-safe.
// Blocking:      reads the whole file.
// Errors:        as DigestOf() says.
#ifndef SHOAL_AGENT_OS_FILE_DIGEST_H_
#define SHOAL_AGENT_OS_FILE_DIGEST_H_

#include <string>

namespace shoal::agent {

// From the first byte on, wherever the descriptor is. Empty if it cannot be read.
std::string DigestOf(int fd);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_FILE_DIGEST_H_
