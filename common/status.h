// From errno to absl::Status, and the two macros that pass statuses on.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_COMMON_STATUS_H_
#define SHOAL_COMMON_STATUS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

// Status for a failed system call: "<operation>: <strerror>", with the code that
// absl::ErrnoToStatus gives but for those that mean something else here: EMFILE, ENFILE, EAGAIN,
// ENOMEM and ENOSPC are RESOURCE_EXHAUSTED, and EACCES and EPERM are FAILED_PRECONDITION
// (PERMISSION_DENIED is for authorization only). `operation` names the call and the object, such as
// "pipe2 for stdout of web-1".
absl::Status ErrnoStatus(int error_number, absl::string_view operation);

}  // namespace shoal

#define SHOAL_CONCAT_INNER_(a, b) a##b
#define SHOAL_CONCAT_(a, b) SHOAL_CONCAT_INNER_(a, b)

#define SHOAL_RETURN_IF_ERROR(expression)                                                     \
  do {                                                                                        \
    if (absl::Status shoal_status_ = (expression); !shoal_status_.ok()) return shoal_status_; \
  } while (false)

// The expression may have commas.
#define SHOAL_ASSIGN_OR_RETURN(left, ...) \
  SHOAL_ASSIGN_OR_RETURN_(SHOAL_CONCAT_(shoal_statusor_, __LINE__), left, __VA_ARGS__)
#define SHOAL_ASSIGN_OR_RETURN_(result, left, ...)     \
  auto result = (__VA_ARGS__);                         \
  if (!result.ok()) return std::move(result).status(); \
  left = std::move(result).value()

#endif  // SHOAL_COMMON_STATUS_H_
