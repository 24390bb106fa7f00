// Finds the one process that a request names.
//
// Ownership:     none.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        NOT_FOUND: it fits none. INVALID_ARGUMENT: a glob, or it fits several.
#ifndef SHOAL_AGENT_CORE_SELECT_ONE_H_
#define SHOAL_AGENT_CORE_SELECT_ONE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/core/process_table.h"

namespace shoal::agent {

// `term` is a name, an id or a unique prefix of one; `field` is what errors call it.
absl::StatusOr<ProcessEntry*> SelectOne(const ProcessTable& table, absl::string_view field,
                                        const std::string& term);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_SELECT_ONE_H_
