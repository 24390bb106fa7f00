// The files of a spec, from the wire: paths that stay below their directory, contents that fit.
//
// Ownership:     stateless.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        INVALID_ARGUMENT names the file and the reason, user bytes escaped.
#ifndef SHOAL_AGENT_SPEC_FILE_CHECKS_H_
#define SHOAL_AGENT_SPEC_FILE_CHECKS_H_

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "agent/spec/spec.h"
#include "shoal/v1/process.pb.h"

namespace shoal::agent {

inline constexpr int kMaxFiles = 1'000;
inline constexpr size_t kMaxInlineBytes = size_t{64} << 10;  // of all files of a spec

absl::Status CheckFiles(const v1::ProcessSpec& proto);

std::vector<SpecFile> FilesOf(const v1::ProcessSpec& proto);

// The contents that came with the request, parallel to FilesOf; null if there are none.
// REQUIRES: CheckFiles was OK.
std::shared_ptr<const InlineFiles> InlineFilesOf(const v1::ProcessSpec& proto);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_SPEC_FILE_CHECKS_H_
