// How much of each of many processes an answer tells, so that it is never larger than 2 MiB whatever
// the processes are: in full as long as there is room for all others in brief, in brief as long as
// there is room for the ids of all others, then the id, and in the end nothing.
//
// Ownership:     by the answer that is being filled.
// Thread-safety: one thread.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_RPC_ANSWER_BUDGET_H_
#define SHOAL_AGENT_RPC_ANSWER_BUDGET_H_

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/core/model.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal::agent {

// A client of gRPC receives 4 MiB unless it is told otherwise.
inline constexpr size_t kMaxAnswerBytes = size_t{2} << 20;

enum class Detail { kFull, kBrief, kId, kNone };

class AnswerBudget {
 public:
  explicit AnswerBudget(size_t count) : left_(count) {}

  // Of the next entry, which is at most so large in full and in brief.
  Detail Next(size_t full_bytes, size_t brief_bytes);
  // How large it has become.
  void Use(size_t bytes) { used_ += bytes + kFraming; }

 private:
  static constexpr size_t kFraming = 8;  // tag and length, twice where a result is around it

  size_t left_;
  size_t used_ = 0;
};

// What a process, or an error, cannot exceed.
size_t FullBytesOf(const ProcessEntry& process);
size_t BriefBytesOf(const ProcessEntry& process);
size_t FullBytesOf(const absl::Status& status);
size_t BriefBytesOf(const absl::Status& status);

// REQUIRES: not kNone.
void SetProcess(const ProcessEntry& entry, absl::string_view host, Detail detail,
                v1::Process* proto);
void SetError(const absl::Status& status, Detail detail, v1::RequestError* error);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_ANSWER_BUDGET_H_
