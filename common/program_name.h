// What a process or job is called after its program.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_COMMON_PROGRAM_NAME_H_
#define SHOAL_COMMON_PROGRAM_NAME_H_

#include <string>

#include "absl/strings/string_view.h"

namespace shoal {

// The last part of a path as a name: characters that a name may not have become '_'.
std::string ProgramName(absl::string_view path);

}  // namespace shoal

#endif  // SHOAL_COMMON_PROGRAM_NAME_H_
