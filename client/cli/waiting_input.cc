#include "client/cli/waiting_input.h"

#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace shoal::cli {

bool IsInputWaiting() {
  struct stat found = {};
  if (fstat(STDIN_FILENO, &found) != 0) return false;
  if (S_ISREG(found.st_mode)) return lseek(STDIN_FILENO, 0, SEEK_CUR) < found.st_size;
  if (!S_ISFIFO(found.st_mode) && !S_ISSOCK(found.st_mode)) return false;
  int waiting = 0;
  return ioctl(STDIN_FILENO, FIONREAD, &waiting) == 0 && waiting > 0;
}

}  // namespace shoal::cli
