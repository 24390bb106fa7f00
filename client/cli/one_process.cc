#include "client/cli/one_process.h"

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace shoal::cli {

absl::StatusOr<Found> FindOneProcess(const Selection& selection, absl::string_view what,
                                     Invocation& invocation) {
  SHOAL_ASSIGN_OR_RETURN(const Fleet fleet, invocation.ConnectExisting(selection));
  SHOAL_ASSIGN_OR_RETURN(const Lookup lookup, FindProcesses(fleet, selection, invocation));
  if (!lookup.failures.empty()) return lookup.failures.front();
  if (lookup.found.size() == 1) return lookup.found.front();
  return absl::InvalidArgumentError(absl::StrCat(
      selection.ToString(), " fits ", lookup.found.size(), " processes: ", what, " goes to one"));
}

}  // namespace shoal::cli
