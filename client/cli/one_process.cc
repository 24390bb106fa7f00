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

absl::StatusOr<Found> FindByRequest(const std::string& request_id, Invocation& invocation) {
  // As for a name: it may be on any host.
  SHOAL_ASSIGN_OR_RETURN(const Selection anywhere, Selection::Parse({request_id}, {}));
  SHOAL_ASSIGN_OR_RETURN(const Fleet fleet, invocation.ConnectExisting(anywhere));
  absl::Status failure;
  for (const FleetHost& entry : fleet.hosts()) {
    absl::StatusOr<v1::Process> process = entry.host->GetByRequest(request_id);
    if (process.ok()) {
      process->set_host(invocation.NameOf(*entry.host));
      return Found{entry.host, *std::move(process)};
    }
    if (!absl::IsNotFound(process.status())) failure.Update(process.status());
  }
  SHOAL_RETURN_IF_ERROR(failure);
  return absl::NotFoundError(
      absl::StrCat("no process of yours was started by request_id ", request_id));
}

}  // namespace shoal::cli
