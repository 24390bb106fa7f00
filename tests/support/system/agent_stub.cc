#include "tests/support/system/agent_stub.h"

#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/ids.h"
#include "tests/support/system/command.h"

namespace shoal::testing {

std::string Describe(const grpc::Status& status) {
  static constexpr const char* kNames[] = {"OK",
                                           "CANCELLED",
                                           "UNKNOWN",
                                           "INVALID_ARGUMENT",
                                           "DEADLINE_EXCEEDED",
                                           "NOT_FOUND",
                                           "ALREADY_EXISTS",
                                           "PERMISSION_DENIED",
                                           "RESOURCE_EXHAUSTED",
                                           "FAILED_PRECONDITION",
                                           "ABORTED",
                                           "OUT_OF_RANGE",
                                           "UNIMPLEMENTED",
                                           "INTERNAL",
                                           "UNAVAILABLE",
                                           "DATA_LOSS",
                                           "UNAUTHENTICATED"};
  return absl::StrCat(kNames[status.error_code()], ": ", status.error_message());
}

v1::ProcessSpec SpecOf(const std::vector<std::string>& argv, absl::string_view name) {
  v1::ProcessSpec spec;
  for (const std::string& word : argv) spec.add_argv(word);
  spec.set_name(std::string(name));
  spec.set_lifetime(v1::LIFETIME_DETACHED);
  return spec;
}

CallContext::CallContext(bool wait_for_ready) {
  set_deadline(absl::ToChronoTime(absl::Now() + kDeadline));
  set_wait_for_ready(wait_for_ready);
}

AgentStub::AgentStub(const std::string& socket_path) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 50);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  channel_ = grpc::CreateCustomChannel(absl::StrCat("unix:", socket_path),
                                       grpc::InsecureChannelCredentials(), arguments);
  processes_ = v1::ProcessService::NewStub(channel_);
  sessions_ = v1::SessionService::NewStub(channel_);
  host_ = v1::HostService::NewStub(channel_);
}

grpc::Status AgentStub::TrySpawn(const v1::SpawnRequest& request, v1::SpawnResponse* response,
                                 bool wait_for_ready) {
  CallContext context(wait_for_ready);
  return processes_->Spawn(&context, request, response);
}

v1::Process AgentStub::Spawn(const v1::ProcessSpec& spec) {
  v1::SpawnRequest request;
  request.set_request_id(NewRequestId());
  *request.mutable_spec() = spec;
  v1::SpawnResponse response;
  const grpc::Status status = TrySpawn(request, &response);
  EXPECT_TRUE(status.ok()) << Describe(status);
  return response.process();
}

v1::Process AgentStub::Get(absl::string_view selector) {
  v1::GetRequest request;
  request.set_selector(std::string(selector));
  v1::GetResponse response;
  CallContext context;
  const grpc::Status status = processes_->Get(&context, request, &response);
  EXPECT_TRUE(status.ok()) << Describe(status);
  return response.process();
}

std::vector<v1::Process> AgentStub::List() {
  std::vector<v1::Process> all;
  v1::ListRequest request;
  do {
    v1::ListResponse response;
    CallContext context;
    const grpc::Status status = processes_->List(&context, request, &response);
    EXPECT_TRUE(status.ok()) << Describe(status);
    all.insert(all.end(), response.processes().begin(), response.processes().end());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  return all;
}

v1::Process AgentStub::Wait(absl::string_view selector, v1::WaitRequest::Until until) {
  v1::WaitRequest request;
  request.mutable_selector()->add_terms(std::string(selector));
  request.set_until(until);
  v1::WaitResponse response;
  CallContext context;
  const grpc::Status status = processes_->Wait(&context, request, &response);
  EXPECT_TRUE(status.ok()) << Describe(status);
  EXPECT_EQ(response.processes_size(), 1);
  return response.processes_size() > 0 ? response.processes(0) : v1::Process();
}

std::vector<v1::Process> AgentStub::WaitAll(v1::WaitRequest::Until until) {
  v1::WaitRequest request;
  request.mutable_selector()->set_all(true);
  request.set_until(until);
  v1::WaitResponse response;
  CallContext context;
  const grpc::Status status = processes_->Wait(&context, request, &response);
  EXPECT_TRUE(status.ok()) << Describe(status);
  return {response.processes().begin(), response.processes().end()};
}

void AgentStub::TerminateAll() {
  v1::TerminateRequest request;
  request.set_request_id(NewRequestId());
  request.mutable_selector()->set_all(true);
  request.mutable_grace();  // none: at once
  v1::TerminateResponse response;
  CallContext context;
  const grpc::Status status = processes_->Terminate(&context, request, &response);
  EXPECT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::NOT_FOUND)
      << Describe(status);
  for (const v1::ProcessResult& result : response.results()) {
    // That of a shim that was killed cannot be proven empty.
    const bool is_unproven =
        absl::StrContains(result.error().message(), "is unproven: its shim is gone");
    EXPECT_TRUE(result.error().code() == 0 || is_unproven) << result.error().message();
  }
}

std::string AgentStub::Output(absl::string_view selector, v1::StreamKind stream) {
  v1::ReadOutputRequest request;
  request.mutable_selector()->add_terms(std::string(selector));
  request.add_streams(stream);
  CallContext context;
  const auto reader = processes_->ReadOutput(&context, request);
  std::string bytes;
  v1::ReadOutputResponse frame;
  while (reader->Read(&frame)) {
    EXPECT_FALSE(frame.has_gap()) << frame.ShortDebugString();
    EXPECT_EQ(frame.offset(), static_cast<int64_t>(bytes.size()));
    bytes += frame.data();
  }
  const grpc::Status status = reader->Finish();
  EXPECT_TRUE(status.ok()) << Describe(status);
  return bytes;
}

bool AgentStub::WatchUntil(const std::function<bool(const v1::Process&)>& seen) {
  CallContext context;
  const auto reader = processes_->Watch(&context, v1::WatchRequest());
  v1::WatchResponse response;
  while (reader->Read(&response)) {
    if (!response.has_upsert() || !seen(response.upsert())) continue;
    context.TryCancel();
    while (reader->Read(&response)) {
    }
    reader->Finish();
    return true;
  }
  ADD_FAILURE() << "the watch ended: " << Describe(reader->Finish());
  return false;
}

}  // namespace shoal::testing
