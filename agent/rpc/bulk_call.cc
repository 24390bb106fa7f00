#include "agent/rpc/bulk_call.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/unknown_field_set.h>

#include <cstdint>

namespace shoal::agent {
namespace {

void SetProcessOf(const Told& told, const ProcessEntry* process, HostName host, Detail detail,
                  v1::Process* proto) {
  if (process != nullptr) return SetProcess(*process, host, detail, proto);
  proto->set_id(told.IdOf());
}

ToldList ListOf(std::vector<Told> told) {
  const size_t count = told.size();
  return {count, [told = std::move(told)](size_t i) mutable -> std::optional<Told> {
            return std::move(told[i]);
          }};
}

}  // namespace

ToldList ToldOf(SharedProcesses processes) {
  const size_t count = processes->size();
  return {count, [processes = std::move(processes)](size_t i) -> std::optional<Told> {
            const std::shared_ptr<ProcessEntry>& process = (*processes)[i];
            if (process->is_removed) return std::nullopt;
            return Told{process};
          }};
}

ToldList ToldOf(const std::vector<Outcome>& outcomes) {
  std::vector<Told> told;
  told.reserve(outcomes.size());
  for (const Outcome& outcome : outcomes) {
    const ProcessEntry* process = outcome.process;
    told.push_back({.process = process != nullptr ? process->shared_from_this() : outcome.gone,
                    .status = outcome.status,
                    .id = outcome.id,
                    .was_deleted_here = outcome.gone != nullptr});
  }
  return ListOf(std::move(told));
}

ToldList ToldOf(const std::vector<SpawnOutcome>& outcomes) {
  std::vector<Told> told;
  told.reserve(outcomes.size());
  for (const SpawnOutcome& outcome : outcomes) {
    const bool is_there = outcome.status.ok() && outcome.process != nullptr;
    told.push_back({is_there ? outcome.process->shared_from_this() : nullptr, outcome.status});
  }
  return ListOf(std::move(told));
}

void AppendEncoded(const google::protobuf::Message& one, google::protobuf::Message* all) {
  const std::string bytes = one.SerializeAsString();
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const uint8_t*>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  // Unknown fields are written as they were read.
  all->GetReflection()->MutableUnknownFields(all)->MergeFromCodedStream(&stream);
}

size_t AddTo(v1::WaitResponse* response, const Told& told, const ProcessEntry* process,
             HostName host, Detail detail) {
  v1::Process* proto = response->add_processes();
  SetProcessOf(told, process, host, detail, proto);
  return proto->ByteSizeLong();
}

size_t AddTo(v1::TemplateServiceDeleteResponse* response, const Told& told,
             const ProcessEntry* process, HostName host, Detail detail) {
  v1::Process* proto = response->add_processes();
  SetProcessOf(told, process, host, detail, proto);
  return proto->ByteSizeLong();
}

size_t AddTo(v1::SpawnBatchResponse* response, const Told& told, const ProcessEntry* process,
             HostName host, Detail detail) {
  v1::SpawnBatchResponse::Result* result = response->add_results();
  if (process != nullptr && told.status.ok()) {
    SetProcess(*process, host, detail, result->mutable_process());
  } else {
    const absl::Status& status = told.status;
    SetError(status.ok() ? absl::NotFoundError("the process was deleted") : status, detail,
             result->mutable_error());
  }
  return result->ByteSizeLong();
}

size_t AddResult(v1::ProcessResult* result, const Told& told, const ProcessEntry* process,
                 HostName host, Detail detail) {
  SetProcessOf(told, process, host, detail, result->mutable_process());
  if (!told.status.ok()) SetError(told.status, detail, result->mutable_error());
  return result->ByteSizeLong();
}

}  // namespace shoal::agent
