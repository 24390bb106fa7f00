#include "common/status.h"

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

absl::StatusCode CodeOf(int error_number) {
  switch (error_number) {
    case EMFILE:
    case ENFILE:
    case EAGAIN:
    case ENOMEM:
    case ENOSPC:
    case EDQUOT:
      return absl::StatusCode::kResourceExhausted;
    case EACCES:
    case EPERM:
      return absl::StatusCode::kFailedPrecondition;
    default:
      return absl::ErrnoToStatusCode(error_number);
  }
}

}  // namespace

absl::Status ErrnoStatus(int error_number, absl::string_view operation) {
  char buffer[128];
  const char* reason =
      strerror_r(error_number, buffer, sizeof(buffer));  // the GNU one: thread-safe
  return absl::Status(CodeOf(error_number), absl::StrCat(operation, ": ", reason));
}

}  // namespace shoal
