#include "shoal/process/empty_tree.h"

#include <utility>
#include <vector>

#include "shoal/duration.h"
#include "shoal/outcome.h"

namespace shoal::internal {
namespace {

// Descendants have the grace to end by themselves, and another one from SIGTERM to SIGKILL.
absl::Duration TimeToEnd(const v1::ProcessSpec& spec) {
  if (spec.descendants() == v1::DESCENDANT_POLICY_KEEP) return kSeenEmptyTime;
  return 2 * FromProto(spec.grace()) + kSeenEmptyTime;
}

}  // namespace

bool AwaitEmptyTree(Host& host, const std::string& id, absl::Duration patience) {
  v1::WaitRequest request;
  request.mutable_selector()->add_terms(id);
  request.set_until(v1::WaitRequest::UNTIL_EMPTY);
  CallOptions options;
  options.timeout = patience;
  absl::StatusOr<v1::WaitResponse> response = host.Wait(std::move(request), options);
  return response.ok() && !response->timed_out();
}

bool AwaitFreeName(Host& host, const std::string& session_id, const std::string& name) {
  v1::ListRequest request;
  request.mutable_selector()->add_terms(name);
  request.mutable_selector()->set_session_id(session_id);
  absl::StatusOr<std::vector<v1::Process>> found = host.List(std::move(request));
  if (!found.ok()) return false;
  for (const v1::Process& process : *found) {
    if (process.session_id() != session_id || process.tree_empty()) continue;
    return HasEnded(process) && AwaitEmptyTree(host, process.id(), TimeToEnd(process.spec()));
  }
  return true;
}

}  // namespace shoal::internal
