#include "agent/rpc/process_list.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/os/process_tree.h"
#include "agent/rpc/process_conversion.h"
#include "agent/rpc/request_checks.h"
#include "agent/spec/time_conversion.h"
#include "common/escape.h"
#include "common/ids.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr int kMaxPageSize = 1000;
constexpr size_t kMaxMembers = 8;
constexpr size_t kMaxPageBytes = size_t{2} << 20;  // a client receives 4 MiB unless told otherwise

bool IsId(const std::string& text) {
  auto is_base32 = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '2' && c <= '7'); };
  return text.size() == kIdLength && std::all_of(text.begin(), text.end(), is_base32);
}

// Of a tree that has lost its main process.
void SetMembers(const Edge& edge, std::vector<int> members, v1::LiveUsage* proto) {
  proto->set_descendants(static_cast<int>(members.size()));
  members.resize(std::min(members.size(), kMaxMembers));
  for (const Survivor& member : edge.trees->Describe(members)) {
    SetSurvivor(member, proto->add_members());
  }
}

void SetLiveUsage(const Edge& edge, const ProcessEntry& entry, v1::Process* proto) {
  if (entry.pid == 0 || entry.IsTreeOver()) return;
  absl::StatusOr<std::vector<int>> members = edge.trees->Members(entry);
  if (!members.ok()) return;  // no number is told that was not seen
  if (!entry.IsLive()) {
    return SetMembers(edge, *std::move(members), proto->mutable_live_usage());
  }
  LiveUsage usage = UsageOf(entry.pid, *members);
  SetDuration(usage.cpu_time, proto->mutable_live_usage()->mutable_cpu_time());
  proto->mutable_live_usage()->set_rss_bytes(usage.rss_bytes);
  proto->mutable_live_usage()->set_descendants(usage.descendants);
  proto->mutable_live_usage()->set_stopped(usage.stopped);
}

// The selected processes in the order of ids, from the first above `after_id`, until `visit` says
// enough. NOT_FOUND as Supervisor::Select.
absl::Status VisitSelected(const Edge& edge, const Permit& permit, const ListQuery& query,
                           absl::FunctionRef<bool(const ProcessEntry&)> visit) {
  if (query.selector.terms.empty()) {
    edge.supervisor->ForEachFrom(permit, query.after_id, [&](const ProcessEntry& entry) {
      return !Matches(query.selector, entry) || visit(entry);
    });
    return absl::OkStatus();
  }
  SHOAL_ASSIGN_OR_RETURN(std::vector<const ProcessEntry*> selected,
                         edge.supervisor->Select(permit, query.selector));
  std::sort(selected.begin(), selected.end(),
            [](const ProcessEntry* a, const ProcessEntry* b) { return a->id < b->id; });
  for (const ProcessEntry* entry : selected) {
    if (entry->id > query.after_id && !visit(*entry)) break;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ListQuery> ToQuery(const v1::ListRequest& request) {
  ListQuery query;
  if (request.page_size() < 0) return absl::InvalidArgumentError("page_size is negative");
  query.page_size =
      request.page_size() == 0 ? kMaxPageSize : std::min(request.page_size(), kMaxPageSize);
  if (!request.page_token().empty() && !IsId(request.page_token())) {
    return absl::InvalidArgumentError("bad page_token");
  }
  query.after_id = request.page_token();
  query.live_usage = request.live_usage();
  query.selector.all = !request.has_selector();
  if (request.has_selector()) {
    SHOAL_ASSIGN_OR_RETURN(query.selector, ToSelectorOfSome(request.selector()));
  }
  return query;
}

void AnswerList(const Edge& edge, const Permit& permit, const ListQuery& query,
                UnaryCall<v1::ListResponse>* call) {
  v1::ListResponse page;
  size_t bytes = 0;
  absl::Status status = VisitSelected(edge, permit, query, [&](const ProcessEntry& entry) {
    if (page.processes_size() == query.page_size || bytes > kMaxPageBytes) {
      page.set_next_page_token(page.processes(page.processes_size() - 1).id());
      return false;
    }
    v1::Process* process = page.add_processes();
    SetProcess(entry, edge.host_name, SpecView::kWithoutEnv, process);
    if (query.live_usage) SetLiveUsage(edge, entry, process);
    bytes += process->ByteSizeLong();
    return true;
  });
  if (!status.ok()) return call->Fail(status);
  page.set_revision(edge.supervisor->revision());
  call->Answer([&](v1::ListResponse* response) { response->Swap(&page); });
}

void AnswerGet(const Edge& edge, const Permit& permit, const Selector& selector, bool live_usage,
               UnaryCall<v1::GetResponse>* call) {
  absl::StatusOr<std::vector<const ProcessEntry*>> found =
      edge.supervisor->Select(permit, selector);
  if (!found.ok()) return call->Fail(found.status());
  if (found->size() != 1) {
    std::string term = EscapeForMessage(selector.terms[0]);
    return call->Fail(found->empty()
                          ? absl::NotFoundError(absl::StrCat("no process matches '", term, "'"))
                          : absl::InvalidArgumentError(absl::StrCat(
                                "'", term, "' matches ", found->size(), " processes, not one")));
  }
  call->Answer([&](v1::GetResponse* response) {
    SetProcess(*found->front(), edge.host_name, SpecView::kFull, response->mutable_process());
    if (live_usage) SetLiveUsage(edge, *found->front(), response->mutable_process());
  });
}

}  // namespace shoal::agent
