// Finds the one process that a command talks to.
//
// Thread-safety: main thread only.
// Blocking:      until every host has answered or its call is over.
// Errors:        INVALID_ARGUMENT: it fits several; else those of FindProcesses.
#ifndef SHOAL_CLIENT_CLI_ONE_PROCESS_H_
#define SHOAL_CLIENT_CLI_ONE_PROCESS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/cli/lookup.h"

namespace shoal::cli {

// `what` goes to one process alone, as an error says.
absl::StatusOr<Found> FindOneProcess(const Selection& selection, absl::string_view what,
                                     Invocation& invocation);

// More were found than may be, by that rule: "an offset is a place in the output of one".
absl::Status TooMany(const Selection& selection, const Lookup& lookup, absl::string_view rule);

// The one that this identity has started by a Spawn of this request_id, on whichever host. NOT_FOUND: on none.
absl::StatusOr<Found> FindByRequest(const std::string& request_id, Invocation& invocation);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_ONE_PROCESS_H_
