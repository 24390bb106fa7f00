#include "agent/rpc/session_list.h"

#include <algorithm>
#include <utility>

#include "agent/rpc/answer_budget.h"
#include "agent/rpc/process_conversion.h"

namespace shoal::agent {
namespace {

// A client that lists thousands again and again takes no more of a turn than one that has few.
constexpr int kMostSessions = 1000;
constexpr size_t kMaxSessionBytes = 1024;  // name and owner, of 256 bytes each, and the rest
constexpr size_t kSessionFraming = 8;

// A page while it is filled, in slices.
class SessionPage {
 public:
  using Call = std::shared_ptr<UnaryCall<v1::SessionServiceListResponse>>;

  SessionPage(const Edge* edge, Permit permit, std::string after_id, int page_size, Call call)
      : edge_(edge),
        permit_(std::move(permit)),
        page_size_(page_size == 0 ? kMostSessions : std::min(page_size, kMostSessions)),
        call_(std::move(call)),
        last_id_(std::move(after_id)) {}

  // Tells of the next session; false: the page was answered, or is not wanted any more.
  bool AddNext() {
    if (call_->IsFinished()) return false;
    const SessionEntry* next = nullptr;
    edge_->supervisor->ForEachSessionFrom(permit_, last_id_, [&next](const SessionEntry& session) {
      next = &session;
      return false;
    });
    const int count = page_.sessions_size();
    const bool is_full =
        count > 0 && (count >= page_size_ || bytes_ + kMaxSessionBytes > kMaxAnswerBytes);
    if (next == nullptr || is_full) {
      if (next != nullptr) page_.set_next_page_token(last_id_);
      call_->Answer([this](v1::SessionServiceListResponse* response) { response->Swap(&page_); });
      return false;
    }
    v1::Session* const told = page_.add_sessions();
    SetSession(*next, edge_->supervisor->LiveProcessesOf(next->id), edge_->clock->BootTime(), told);
    bytes_ += told->ByteSizeLong() + kSessionFraming;
    last_id_ = next->id;
    return true;
  }

 private:
  const Edge* const edge_;
  const Permit permit_;
  const int page_size_;
  const Call call_;
  std::string last_id_;  // that was told, of this page or the one before
  v1::SessionServiceListResponse page_;
  size_t bytes_ = 0;
};

}  // namespace

void AnswerSessions(const Edge* edge, const Permit& permit, std::string after_id, int page_size,
                    const std::shared_ptr<UnaryCall<v1::SessionServiceListResponse>>& call) {
  auto page = std::make_unique<SessionPage>(edge, permit, std::move(after_id), page_size, call);
  edge->slices->Run(permit.caller(), [page = std::move(page)] { return page->AddNext(); });
}

void AnswerSession(const Edge* edge, const Permit& permit, const std::string& id,
                   const std::shared_ptr<UnaryCall<v1::SessionServiceListResponse>>& call) {
  const SessionEntry* const session = edge->supervisor->FindSession(permit, id);
  call->Answer([&](v1::SessionServiceListResponse* response) {
    if (session == nullptr || session->over) return;
    SetSession(*session, edge->supervisor->LiveProcessesOf(id), edge->clock->BootTime(),
               response->add_sessions());
  });
}

}  // namespace shoal::agent
