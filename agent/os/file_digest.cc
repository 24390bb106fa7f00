#include "agent/os/file_digest.h"

#include <unistd.h>

#include <cerrno>

#include "common/sha256.h"

namespace shoal::agent {

std::string DigestOf(int fd) {
  Sha256 hash;
  std::string block(size_t{256} << 10, '\0');
  for (off_t at = 0;;) {
    const ssize_t got = pread(fd, block.data(), block.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return {};
    if (got == 0) return hash.Finish();
    hash.Update({block.data(), static_cast<size_t>(got)});
    at += got;
  }
}

}  // namespace shoal::agent
