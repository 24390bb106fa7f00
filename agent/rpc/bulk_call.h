// Answers of many processes, filled in slices and never larger than 2 MiB: see AnswerBudget.
//
//  1. Begin     on the loop, once it is known which processes are told of, and what became of each.
//  2. AddNext   tells of the next one, as it is then; in slices, so that other callers have their
//               turns, and only while the answer is wanted.
//  3. Answer    when all were told of.
//
// Ownership:     owned by the closure of its next slice.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        none: what became of each process is in the answer.
#ifndef SHOAL_AGENT_RPC_BULK_CALL_H_
#define SHOAL_AGENT_RPC_BULK_CALL_H_

#include <google/protobuf/message.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/rpc/answer_budget.h"
#include "agent/rpc/edge.h"
#include "agent/rpc/unary_call.h"

namespace shoal::agent {

// What became of one process.
struct Told {
  std::shared_ptr<const ProcessEntry> process;  // null: it was deleted before
  absl::Status status = {};
  std::string id = {};            // if there is no process
  bool was_deleted_here = false;  // by this call, which tells of the process as it was then

  std::string IdOf() const { return process != nullptr ? process->id : id; }
  // What there is to tell of; null: it was deleted since.
  const ProcessEntry* Get() const {
    const bool is_there = process != nullptr && (was_deleted_here || !process->is_removed);
    return is_there ? process.get() : nullptr;
  }
};

// What became of several, of which each is asked for once.
struct ToldList {
  size_t count = 0;
  // nullopt: nothing is told of it.
  absl::AnyInvocable<std::optional<Told>(size_t)> at;
};
// Of tens of thousands: nothing is done for each before its slice. What was removed is not told of.
ToldList ToldOf(SharedProcesses processes);
ToldList ToldOf(const std::vector<Outcome>& outcomes);
ToldList ToldOf(const std::vector<SpawnOutcome>& outcomes);

// Adds one to an answer, and says how large that is. `process` is null if it was deleted since.
using HostName = absl::string_view;
size_t AddTo(v1::WaitResponse* response, const Told& told, const ProcessEntry* process,
             HostName host, Detail detail);
size_t AddTo(v1::TemplateServiceDeleteResponse* response, const Told& told,
             const ProcessEntry* process, HostName host, Detail detail);
size_t AddTo(v1::SpawnBatchResponse* response, const Told& told, const ProcessEntry* process,
             HostName host, Detail detail);
size_t AddResult(v1::ProcessResult* result, const Told& told, const ProcessEntry* process,
                 HostName host, Detail detail);
template <typename Response>
size_t AddTo(Response* response, const Told& told, const ProcessEntry* process, HostName host,
             Detail detail) {
  return AddResult(response->add_results(), told, process, host, detail);
}

// Appends what `one` has to `all`, as the bytes that it becomes on the wire: twenty thousand entries
// are 4 MiB so, and as messages 20. They can be read again once `all` was serialized and parsed.
void AppendEncoded(const google::protobuf::Message& one, google::protobuf::Message* all);

// Of Wait, which is repeated all the time, and of which the audit tells no entry.
template <typename Response>
inline constexpr bool kIsEncoded = std::is_same_v<Response, v1::WaitResponse>;

template <typename Response>
class BulkCall {
 public:
  using Call = std::shared_ptr<UnaryCall<Response>>;

  // `response` has what the answer says besides.
  static void Begin(const Edge* edge, const Permit& permit, Call call, ToldList told,
                    Response response = {}) {
    auto bulk = std::unique_ptr<BulkCall>(
        new BulkCall(edge, std::move(call), std::move(told), std::move(response)));
    edge->slices->Run(permit.caller(), [bulk = std::move(bulk)] { return bulk->AddNext(); });
  }

 private:
  BulkCall(const Edge* edge, Call call, ToldList told, Response response)
      : edge_(edge),
        call_(std::move(call)),
        told_(std::move(told)),
        budget_(told_.count),
        response_(std::move(response)) {}

  bool AddNext() {
    if (call_->IsFinished()) return false;
    if (next_ < told_.count) {
      const std::optional<Told> told = told_.at(next_++);
      if (told.has_value()) Add(*told);
      return true;
    }
    if constexpr (requires { response_.set_left_out(0); }) response_.set_left_out(left_out_);
    call_->Answer([this](Response* response) { response->Swap(&response_); });
    return false;
  }

  void Add(const Told& told) {
    const ProcessEntry* process = told.Get();
    size_t full = told.status.ok() ? 0 : FullBytesOf(told.status);
    size_t brief = told.status.ok() ? 0 : BriefBytesOf(told.status);
    if (process != nullptr) {
      full += FullBytesOf(*process);
      brief += BriefBytesOf(*process);
    }
    const Detail detail = budget_.Next(full, brief);
    if (detail == Detail::kNone) {
      ++left_out_;
      return;
    }
    if constexpr (kIsEncoded<Response>) {
      Response one;
      budget_.Use(AddTo(&one, told, process, edge_->host_name, detail));
      AppendEncoded(one, &response_);
    } else {
      budget_.Use(AddTo(&response_, told, process, edge_->host_name, detail));
    }
  }

  const Edge* const edge_;
  const Call call_;
  ToldList told_;
  AnswerBudget budget_;
  Response response_;
  size_t next_ = 0;
  int left_out_ = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_BULK_CALL_H_
