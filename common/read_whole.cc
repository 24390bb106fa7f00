#include "common/read_whole.h"

#include <unistd.h>

#include <cerrno>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace shoal {

absl::StatusOr<std::string> ReadWhole(int fd, size_t max_bytes, absl::string_view operation) {
  std::string text;
  char buffer[16384];
  while (true) {
    const ssize_t got = read(fd, buffer, sizeof(buffer));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoStatus(errno, operation);
    if (got == 0) return text;
    text.append(buffer, static_cast<size_t>(got));
    if (text.size() > max_bytes) {
      return absl::OutOfRangeError(
          absl::StrCat(operation, ": it is more than ", max_bytes, " bytes"));
    }
  }
}

}  // namespace shoal
