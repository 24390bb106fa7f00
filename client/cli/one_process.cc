#include "client/cli/one_process.h"

#include <cstddef>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/escape.h"
#include "common/status.h"

namespace shoal::cli {
namespace {

constexpr size_t kMostTold = 3;

// "ant/web (7KQ2MD), bee/web (BBBBBB) and 4 more"
std::string TellSome(const std::vector<Found>& found) {
  std::vector<std::string> told;
  const size_t id_length = ShownIdLength(found);
  for (size_t i = 0; i < found.size() && i < kMostTold; ++i) {
    const v1::Process& process = found[i].process;
    told.push_back(EscapeForMessage(absl::StrCat(process.host(), "/", process.name(), " (",
                                                 process.id().substr(0, id_length), ")")));
  }
  if (found.size() > kMostTold) told.push_back(absl::StrCat(found.size() - kMostTold, " more"));
  const std::string last = told.back();
  told.pop_back();
  return absl::StrCat(absl::StrJoin(told, ", "), told.empty() ? "" : " and ", last);
}

}  // namespace

absl::StatusOr<Found> FindOneProcess(const Selection& selection, absl::string_view what,
                                     Invocation& invocation) {
  SHOAL_ASSIGN_OR_RETURN(const Fleet fleet, invocation.ConnectExisting(selection));
  SHOAL_ASSIGN_OR_RETURN(const Lookup lookup, FindProcesses(fleet, selection, invocation));
  if (!lookup.failures.empty()) return lookup.failures.front();
  if (lookup.found.size() == 1) return lookup.found.front();
  return TooMany(selection, lookup, absl::StrCat(what, " goes to one"));
}

absl::Status TooMany(const Selection& selection, const Lookup& lookup, absl::string_view rule) {
  return absl::InvalidArgumentError(absl::StrCat(
      selection.ToString(), absl::StrContains(selection.ToString(), ", ") ? " fit " : " fits ",
      lookup.found.size(), " processes, ", TellSome(lookup.found), ": ", rule));
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
