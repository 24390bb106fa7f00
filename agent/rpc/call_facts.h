// What the audit says of each call of the API: which verb it is, how it is kept, what it is about and
// what came of it. One overload for each message: a call without one does not compile.
//
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Secrets:       no token, no environment, no argument beyond the program; of the others a digest.
#ifndef SHOAL_AGENT_RPC_CALL_FACTS_H_
#define SHOAL_AGENT_RPC_CALL_FACTS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "agent/core/access.h"
#include "shoal/v1/blob_service.pb.h"
#include "shoal/v1/host_service.pb.h"
#include "shoal/v1/process_service.pb.h"
#include "shoal/v1/session_service.pb.h"
#include "shoal/v1/template_service.pb.h"

namespace shoal::agent {

// How lines about a verb are kept.
enum class AuditClass {
  kLogged,  // a LoggedCall: its decision is never dropped; see --audit-required
  kNoted,   // carried out whatever becomes of its lines
  kMerged,  // reads and what is repeated all the time: one line for many
};
AuditClass ClassOf(Verb verb);

// The call that answers with this message.
template <typename Response>
struct CallOf;
#define SHOAL_CALL_OF(Response, verb, name)          \
  template <>                                        \
  struct CallOf<v1::Response> {                      \
    static constexpr Verb kVerb = verb;              \
    static absl::string_view Name() { return name; } \
  }
SHOAL_CALL_OF(SpawnResponse, Verb::kSpawn, "Spawn");
SHOAL_CALL_OF(SpawnBatchResponse, Verb::kSpawn, "SpawnBatch");
SHOAL_CALL_OF(GetResponse, Verb::kGet, "Get");
SHOAL_CALL_OF(ListResponse, Verb::kList, "List");
SHOAL_CALL_OF(WatchResponse, Verb::kWatch, "Watch");
SHOAL_CALL_OF(WaitResponse, Verb::kWait, "Wait");
SHOAL_CALL_OF(SignalResponse, Verb::kSignal, "Signal");
SHOAL_CALL_OF(TerminateResponse, Verb::kTerminate, "Terminate");
SHOAL_CALL_OF(UpdateResponse, Verb::kUpdate, "Update");
SHOAL_CALL_OF(DeleteResponse, Verb::kDelete, "Delete");
SHOAL_CALL_OF(ReadOutputResponse, Verb::kReadOutput, "ReadOutput");
SHOAL_CALL_OF(AcknowledgeOutputResponse, Verb::kAcknowledgeOutput, "AcknowledgeOutput");
SHOAL_CALL_OF(WriteInputResponse, Verb::kWriteInput, "WriteInput");
SHOAL_CALL_OF(StreamInputResponse, Verb::kWriteInput, "StreamInput");
SHOAL_CALL_OF(ResizeTerminalResponse, Verb::kResizeTerminal, "ResizeTerminal");
SHOAL_CALL_OF(OpenResponse, Verb::kOpenSession, "Open");
SHOAL_CALL_OF(KeepAliveResponse, Verb::kKeepAlive, "KeepAlive");
SHOAL_CALL_OF(TakeoverResponse, Verb::kTakeover, "Takeover");
SHOAL_CALL_OF(CloseResponse, Verb::kCloseSession, "Close");
SHOAL_CALL_OF(SessionServiceListResponse, Verb::kListSessions, NameOf(kVerb));
SHOAL_CALL_OF(TemplateServiceCreateResponse, Verb::kCreateTemplate, NameOf(kVerb));
SHOAL_CALL_OF(TemplateServiceListResponse, Verb::kListTemplates, NameOf(kVerb));
SHOAL_CALL_OF(TemplateServiceDeleteResponse, Verb::kDeleteTemplates, NameOf(kVerb));
SHOAL_CALL_OF(HostServiceGetResponse, Verb::kGetHost, NameOf(kVerb));
SHOAL_CALL_OF(FindMissingLibrariesResponse, Verb::kFindMissingLibraries, NameOf(kVerb));
SHOAL_CALL_OF(FindMissingResponse, Verb::kFindMissingBlobs, NameOf(kVerb));
SHOAL_CALL_OF(WriteResponse, Verb::kWriteBlob, NameOf(kVerb));
SHOAL_CALL_OF(ReadResponse, Verb::kReadBlob, NameOf(kVerb));
#undef SHOAL_CALL_OF

struct CallFacts {
  std::string subject;      // names and terms, as the caller gave them
  std::string argv_sha256;  // see agent/README.md, "The audit"
  std::string request_id;
};

CallFacts FactsOf(const v1::SpawnRequest& request);
CallFacts FactsOf(const v1::SpawnBatchRequest& request);
CallFacts FactsOf(const v1::GetRequest& request);
CallFacts FactsOf(const v1::ListRequest& request);
CallFacts FactsOf(const v1::WatchRequest& request);
CallFacts FactsOf(const v1::WaitRequest& request);
CallFacts FactsOf(const v1::SignalRequest& request);
CallFacts FactsOf(const v1::TerminateRequest& request);
CallFacts FactsOf(const v1::UpdateRequest& request);
CallFacts FactsOf(const v1::DeleteRequest& request);
CallFacts FactsOf(const v1::ReadOutputRequest& request);
CallFacts FactsOf(const v1::AcknowledgeOutputRequest& request);
CallFacts FactsOf(const v1::WriteInputRequest& request);
CallFacts FactsOf(const v1::StreamInputRequest& request);
CallFacts FactsOf(const v1::ResizeTerminalRequest& request);
CallFacts FactsOf(const v1::OpenRequest& request);
CallFacts FactsOf(const v1::KeepAliveRequest& request);
CallFacts FactsOf(const v1::TakeoverRequest& request);
CallFacts FactsOf(const v1::CloseRequest& request);
CallFacts FactsOf(const v1::SessionServiceListRequest& request);
CallFacts FactsOf(const v1::TemplateServiceCreateRequest& request);
CallFacts FactsOf(const v1::TemplateServiceListRequest& request);
CallFacts FactsOf(const v1::TemplateServiceDeleteRequest& request);
CallFacts FactsOf(const v1::HostServiceGetRequest& request);
CallFacts FactsOf(const v1::FindMissingLibrariesRequest& request);
CallFacts FactsOf(const v1::FindMissingRequest& request);
CallFacts FactsOf(const v1::WriteRequest& request);
CallFacts FactsOf(const v1::ReadRequest& request);

// What came of a call that was answered.
struct CallResult {
  std::string ids;      // of processes, sessions, templates
  std::string failure;  // of single ones: "2 of 5 failed: no process web"
};

CallResult ResultOf(const v1::SpawnResponse& response);
CallResult ResultOf(const v1::SpawnBatchResponse& response);
CallResult ResultOf(const v1::SignalResponse& response);
CallResult ResultOf(const v1::TerminateResponse& response);
CallResult ResultOf(const v1::UpdateResponse& response);
CallResult ResultOf(const v1::DeleteResponse& response);
CallResult ResultOf(const v1::OpenResponse& response);
CallResult ResultOf(const v1::TakeoverResponse& response);
CallResult ResultOf(const v1::CloseResponse& response);
CallResult ResultOf(const v1::TemplateServiceCreateResponse& response);
CallResult ResultOf(const v1::TemplateServiceDeleteResponse& response);
// What is read is not told.
inline CallResult ResultOf(const google::protobuf::Message& /*response*/) { return {}; }

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_CALL_FACTS_H_
