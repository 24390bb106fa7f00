#include "common/standard_descriptors.h"

#include <fcntl.h>
#include <unistd.h>

namespace shoal {

void OpenMissingDescriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest free number is `fd`. Not CLOEXEC: children have their three, too.
    if (open("/dev/null", O_RDWR) < 0) static_cast<void>(open("/", O_PATH));
  }
}

}  // namespace shoal
