// The files of a spec, from the wire: paths that stay below their directory, contents that fit.
//
// Thread-safety: thread-safe.
// Errors:        INVALID_ARGUMENT names the file and the reason, user bytes escaped.
#ifndef SHOAL_AGENT_RPC_FILE_CHECKS_H_
#define SHOAL_AGENT_RPC_FILE_CHECKS_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "shoal/v1/process.pb.h"

namespace shoal::agent {

inline constexpr int kMaxFiles = 1'000;
inline constexpr size_t kMaxInlineBytes = size_t{64} << 10;  // of all files of a spec

absl::Status CheckFiles(const v1::ProcessSpec& proto);

// Whether `program` is "./" and the path of one of the files.
bool NamesShippedFile(absl::string_view program, const v1::ProcessSpec& proto);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_FILE_CHECKS_H_
