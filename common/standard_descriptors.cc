#include "common/standard_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

namespace shoal {

void OpenMissingDescriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    // One that is closed at exec was not inherited: a library has made it, before main(), where the
    // descriptor was missing.
    const int flags = fcntl(fd, F_GETFD);
    if (flags >= 0 && (flags & FD_CLOEXEC) == 0) continue;
    // Not CLOEXEC: children have their three, too.
    int null = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (null < 0) null = open("/", O_PATH);
    if (null < 0 || null == fd) continue;
    dup2(null, fd);
    close(null);
  }
}

}  // namespace shoal
