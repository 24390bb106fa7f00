#include "agent/rpc/answer_budget.h"

#include <algorithm>
#include <string>

#include "agent/rpc/process_conversion.h"
#include "agent/rpc/status_to_grpc.h"
#include "common/utf8.h"

namespace shoal::agent {
namespace {

// What is reserved for each entry that is still to come.
constexpr size_t kBriefReserve = 192;
constexpr size_t kIdBytes = 40;
constexpr size_t kBriefMessageBytes = 64;
// Numbers, times and flags; and what tells of another process, signal or label.
constexpr size_t kFixedBytes = 1024;
constexpr size_t kFixedBriefBytes = 320;  // with the name of the host, of 128 bytes at most
constexpr size_t kPerItem = 64;
// Escaping may make four bytes of one.
constexpr size_t kMostEscaped = 4;

size_t MessageBytes(absl::string_view message, size_t most) {
  return std::min(most, kMostEscaped * message.size() + kPerItem);
}

}  // namespace

Detail AnswerBudget::Next(size_t full_bytes, size_t brief_bytes) {
  if (left_ > 0) --left_;
  const auto fits = [this](size_t bytes, size_t reserve) {
    return used_ + bytes + kFraming + left_ * (reserve + kFraming) <= kMaxAnswerBytes;
  };
  if (fits(full_bytes, kBriefReserve)) return Detail::kFull;
  if (fits(brief_bytes, kIdBytes)) return Detail::kBrief;
  return used_ + kIdBytes + kFraming <= kMaxAnswerBytes ? Detail::kId : Detail::kNone;
}

size_t FullBytesOf(const ProcessEntry& process) {
  size_t bytes = kFixedBytes + process.name.size() + process.owner.size() +
                 process.spec->wire.size() + kPerItem * process.survivors.size();
  for (const auto& [key, value] : process.labels) bytes += key.size() + value.size() + kPerItem;
  for (const SignalEvent& signal : process.signals) bytes += signal.requested_by.size() + kPerItem;
  if (process.exit) {
    bytes += process.exit->stderr_tail.size() + process.exit->requested_by.size() +
             MessageBytes(process.exit->unknown_detail, kMaxMessageBytes);
  }
  if (process.start_failure)
    bytes += MessageBytes(process.start_failure->message, kMaxMessageBytes);
  if (process.termination) bytes += process.termination->requested_by.size() + kPerItem;
  if (process.descendants) bytes += kPerItem * process.descendants->members.size();
  return bytes;
}

size_t BriefBytesOf(const ProcessEntry& process) {
  return kFixedBriefBytes + process.name.size() +
         (process.exit ? process.exit->requested_by.size() : 0);
}

size_t FullBytesOf(const absl::Status& status) {
  // The message of a failed start stands there twice.
  return 2 * MessageBytes(status.message(), kMaxMessageBytes) + kPerItem;
}

size_t BriefBytesOf(const absl::Status& /*status*/) { return kBriefMessageBytes + kPerItem; }

void SetProcess(const ProcessEntry& entry, absl::string_view host, Detail detail,
                v1::Process* proto) {
  if (detail == Detail::kFull) return SetProcess(entry, host, SpecView::kWithoutEnv, proto);
  if (detail == Detail::kBrief) return SetBriefProcess(entry, host, proto);
  proto->set_id(entry.id);
  proto->set_brief(true);
}

void SetError(const absl::Status& status, Detail detail, v1::RequestError* error) {
  if (detail == Detail::kFull) return SetError(status, error);
  error->set_code(static_cast<int>(status.code()));
  if (detail == Detail::kId) return;
  error->set_message(std::string(CutUtf8(CapMessage(status.message()), kBriefMessageBytes)));
  const std::optional<StartFailure> failure = StartFailureOf(status);
  if (!failure.has_value()) return;
  error->mutable_start_failure()->set_stage(failure->stage);
  error->mutable_start_failure()->set_error_number(failure->error_number);
}

}  // namespace shoal::agent
