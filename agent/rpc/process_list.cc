#include "agent/rpc/process_list.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/os/process_tree.h"
#include "agent/rpc/answer_budget.h"
#include "agent/rpc/process_conversion.h"
#include "agent/rpc/request_checks.h"
#include "agent/spec/time_conversion.h"
#include "common/escape.h"
#include "common/ids.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr int kMostProcesses = 1000;
constexpr size_t kMaxMembers = 8;
// Of a tree, so that one of thousands does not hold up the loop.
constexpr size_t kMaxSummed = 512;

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
  size_t summed = 0;
  for (const int member : *members) {
    if (member == entry.pid) continue;
    if (++summed > kMaxSummed) break;
    const LiveUsage own = UsageOf(member, {});
    usage.cpu_time += own.cpu_time;
    usage.rss_bytes += own.rss_bytes;
  }
  SetDuration(usage.cpu_time, proto->mutable_live_usage()->mutable_cpu_time());
  proto->mutable_live_usage()->set_rss_bytes(usage.rss_bytes);
  proto->mutable_live_usage()->set_descendants(usage.descendants);
  proto->mutable_live_usage()->set_stopped(usage.stopped);
}

// A page while it is filled, in slices.
class ProcessPage {
 public:
  using Call = std::shared_ptr<UnaryCall<v1::ListResponse>>;

  // `ids`: what was selected, in their order; absent: all processes are held against the selector.
  ProcessPage(const Edge* edge, Permit permit, ListQuery query,
              std::optional<std::vector<std::string>> ids, Call call)
      : edge_(edge),
        permit_(std::move(permit)),
        query_(std::move(query)),
        ids_(std::move(ids)),
        call_(std::move(call)),
        after_id_(query_.after_id) {
    // As of before the first is told, so that a Watch from it misses nothing.
    page_.set_revision(edge_->supervisor->revision());
  }

  // Looks at the next process; false: the page was answered, or is not wanted any more.
  bool AddNext() {
    if (call_->IsFinished()) return false;
    const ProcessEntry* entry = Next();
    if (entry == nullptr) return Answer("");
    if (!Matches(query_.selector, *entry)) return true;
    const std::string last_id =
        page_.processes_size() == 0 ? "" : page_.processes(page_.processes_size() - 1).id();
    const bool is_full = page_.processes_size() == query_.page_size ||
                         bytes_ + FullBytesOf(*entry) > kMaxAnswerBytes;
    if (is_full && !last_id.empty()) return Answer(last_id);
    v1::Process* process = page_.add_processes();
    SetProcess(*entry, edge_->host_name, is_full ? Detail::kBrief : Detail::kFull, process);
    if (query_.live_usage) SetLiveUsage(*edge_, *entry, process);
    bytes_ += process->ByteSizeLong() + kFraming;
    return true;
  }

 private:
  static constexpr size_t kFraming = 8;

  const ProcessEntry* Next() {
    const ProcessEntry* next = nullptr;
    if (!ids_) {
      edge_->supervisor->ForEachFrom(permit_, after_id_, [&next](const ProcessEntry& entry) {
        next = &entry;
        return false;
      });
    }
    while (ids_ && next == nullptr && next_id_ < ids_->size()) {
      const std::string& id = (*ids_)[next_id_++];
      if (id > query_.after_id) next = edge_->supervisor->Find(permit_, id);
    }
    if (next != nullptr) after_id_ = next->id;
    return next;
  }

  bool Answer(const std::string& next_page_token) {
    page_.set_next_page_token(next_page_token);
    call_->Answer([this](v1::ListResponse* response) { response->Swap(&page_); });
    return false;
  }

  const Edge* const edge_;
  const Permit permit_;
  const ListQuery query_;
  const std::optional<std::vector<std::string>> ids_;
  const Call call_;
  size_t next_id_ = 0;
  std::string after_id_;
  v1::ListResponse page_;
  size_t bytes_ = 0;
};

void FillPage(const Edge* edge, const Permit& permit, ListQuery query,
              std::optional<std::vector<std::string>> ids, const ProcessPage::Call& call) {
  // What was selected fits the terms; a process must fit the rest when it is told.
  query.selector.all = query.selector.all || !query.selector.terms.empty();
  query.selector.terms.clear();
  auto page = std::make_unique<ProcessPage>(edge, permit, std::move(query), std::move(ids), call);
  edge->slices->Run(permit.caller(), [page = std::move(page)] { return page->AddNext(); });
}

void AnswerGetWith(const Edge* edge, const Permit& permit, const GetQuery& query,
                   const ProcessEntry& entry,
                   const std::shared_ptr<UnaryCall<v1::GetResponse>>& call) {
  if (query.env_values && !MayActFor(permit.caller(), entry.owner)) {
    return call->Fail(absl::PermissionDeniedError(
        absl::StrCat("process ", EscapeForMessage(entry.name),
                     " belongs to another identity: values of its environment are for its owner")));
  }
  const SpecView view = query.env_values ? SpecView::kFull : SpecView::kWithEnvNames;
  call->Answer([&](v1::GetResponse* response) {
    SetProcess(entry, edge->host_name, view, response->mutable_process());
    if (query.live_usage) SetLiveUsage(*edge, entry, response->mutable_process());
  });
}

void AnswerGetByRequest(const Edge* edge, const Permit& permit, const GetQuery& query,
                        const std::shared_ptr<UnaryCall<v1::GetResponse>>& call) {
  const std::vector<const ProcessEntry*> found =
      edge->supervisor->OfRequest(permit, query.request_id);
  if (found.size() == 1) return AnswerGetWith(edge, permit, query, *found.front(), call);
  if (!found.empty()) {
    return call->Fail(absl::InvalidArgumentError(absl::StrCat(
        "request_id ", query.request_id, " has started ", found.size(), " processes, not one")));
  }
  call->Fail(absl::NotFoundError(absl::StrCat("no process of ", EscapeForMessage(permit.owner()),
                                              " was started by request_id ", query.request_id)));
}

absl::Status NotOne(const std::string& term, size_t found) {
  const std::string escaped = EscapeForMessage(term);
  if (found == 0) return absl::NotFoundError(absl::StrCat("no process matches '", escaped, "'"));
  return absl::InvalidArgumentError(
      absl::StrCat("'", escaped, "' matches ", found, " processes, not one"));
}

}  // namespace

absl::StatusOr<ListQuery> ToQuery(const v1::ListRequest& request) {
  ListQuery query;
  SHOAL_RETURN_IF_ERROR(CheckPage(request));
  query.page_size =
      request.page_size() == 0 ? kMostProcesses : std::min(request.page_size(), kMostProcesses);
  query.after_id = request.page_token();
  query.live_usage = request.live_usage();
  query.selector.all = !request.has_selector();
  if (request.has_selector()) {
    SHOAL_ASSIGN_OR_RETURN(query.selector, ToSelectorOfSome(request.selector()));
  }
  return query;
}

void AnswerList(const Edge* edge, const Permit& permit, const ListQuery& query,
                const std::shared_ptr<UnaryCall<v1::ListResponse>>& call) {
  if (query.selector.terms.empty()) return FillPage(edge, permit, query, std::nullopt, call);
  edge->supervisor->Select(
      permit, query.selector, [call] { return !call->IsFinished(); },
      [edge, permit, query, call](absl::StatusOr<std::vector<const ProcessEntry*>> selected) {
        if (!selected.ok()) return call->Fail(selected.status());
        std::vector<std::string> ids;
        for (const ProcessEntry* entry : *selected) ids.push_back(entry->id);
        FillPage(edge, permit, query, std::move(ids), call);
      });
}

absl::StatusOr<GetQuery> ToQuery(const v1::GetRequest& request) {
  GetQuery query;
  query.live_usage = request.live_usage();
  query.env_values = request.env_values();
  if (!request.request_id().empty()) {
    if (!request.selector().empty()) {
      return absl::InvalidArgumentError("selector and request_id are given: one of both");
    }
    SHOAL_RETURN_IF_ERROR(CheckRequestId(request.request_id()));
    query.request_id = request.request_id();
    return query;
  }
  v1::Selector one;
  one.add_terms(request.selector());
  SHOAL_ASSIGN_OR_RETURN(query.selector, ToSelector(one));
  return query;
}

void AnswerGet(const Edge* edge, const Permit& permit, const GetQuery& query,
               const std::shared_ptr<UnaryCall<v1::GetResponse>>& call) {
  if (!query.request_id.empty()) return AnswerGetByRequest(edge, permit, query, call);
  edge->supervisor->Select(
      permit, query.selector, [call] { return !call->IsFinished(); },
      [edge, permit, query, call](absl::StatusOr<std::vector<const ProcessEntry*>> found) {
        if (!found.ok()) return call->Fail(found.status());
        if (found->size() != 1) {
          return call->Fail(NotOne(query.selector.terms.front(), found->size()));
        }
        AnswerGetWith(edge, permit, query, *found->front(), call);
      });
}

}  // namespace shoal::agent
