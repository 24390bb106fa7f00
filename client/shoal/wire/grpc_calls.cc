// The calls and streams of a GrpcLink.
#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "common/boot_time.h"
#include "common/grpc_deadline.h"
#include "common/status.h"
#include "shoal/link/owner.h"
#include "shoal/wire/grpc_link.h"
#include "shoal/wire/reading_stream.h"
#include "shoal/wire/retried_call.h"
#include "shoal/wire/wire_status.h"
#include "shoal/wire/writing_stream.h"

namespace shoal {

#define SHOAL_DEFINE_CALL(Name, stub, Method, Request, Response)                                  \
  void GrpcLink::Name(v1::Request request, const CallOptions& options, Done<v1::Response> done) { \
    RetriedCall<v1::Request, v1::Response>::Run(                                                  \
        this,                                                                                     \
        [this](auto* context, auto* message, auto* response, auto callback) {                     \
          const ActiveCalls::Starting starting(&active_);                                         \
          stubs()->stub.async()->Method(context, message, response, std::move(callback));         \
        },                                                                                        \
        std::move(request), options, std::move(done));                                            \
  }

SHOAL_DEFINE_CALL(GetFacts, hosts, Get, HostServiceGetRequest, HostServiceGetResponse)
SHOAL_DEFINE_CALL(FindMissingLibraries, hosts, FindMissingLibraries, FindMissingLibrariesRequest,
                  FindMissingLibrariesResponse)
SHOAL_DEFINE_CALL(Spawn, processes, Spawn, SpawnRequest, SpawnResponse)
SHOAL_DEFINE_CALL(SpawnBatch, processes, SpawnBatch, SpawnBatchRequest, SpawnBatchResponse)
SHOAL_DEFINE_CALL(Get, processes, Get, GetRequest, GetResponse)
SHOAL_DEFINE_CALL(List, processes, List, ListRequest, ListResponse)
SHOAL_DEFINE_CALL(Wait, processes, Wait, WaitRequest, WaitResponse)
SHOAL_DEFINE_CALL(Signal, processes, Signal, SignalRequest, SignalResponse)
SHOAL_DEFINE_CALL(Terminate, processes, Terminate, TerminateRequest, TerminateResponse)
SHOAL_DEFINE_CALL(Update, processes, Update, UpdateRequest, UpdateResponse)
SHOAL_DEFINE_CALL(Delete, processes, Delete, DeleteRequest, DeleteResponse)
SHOAL_DEFINE_CALL(AcknowledgeOutput, processes, AcknowledgeOutput, AcknowledgeOutputRequest,
                  AcknowledgeOutputResponse)
SHOAL_DEFINE_CALL(WriteInput, processes, WriteInput, WriteInputRequest, WriteInputResponse)
SHOAL_DEFINE_CALL(ResizeTerminal, processes, ResizeTerminal, ResizeTerminalRequest,
                  ResizeTerminalResponse)
SHOAL_DEFINE_CALL(OpenSession, sessions, Open, OpenRequest, OpenResponse)
SHOAL_DEFINE_CALL(KeepAlive, sessions, KeepAlive, KeepAliveRequest, KeepAliveResponse)
SHOAL_DEFINE_CALL(TakeOverSession, sessions, Takeover, TakeoverRequest, TakeoverResponse)
SHOAL_DEFINE_CALL(CloseSession, sessions, Close, CloseRequest, CloseResponse)
SHOAL_DEFINE_CALL(ListSessions, sessions, List, SessionServiceListRequest,
                  SessionServiceListResponse)
SHOAL_DEFINE_CALL(FindMissingBlobs, blobs, FindMissing, FindMissingRequest, FindMissingResponse)

#undef SHOAL_DEFINE_CALL

#define SHOAL_DEFINE_STREAM(Name, stub, Method, Request, Response, Hooks)  \
  std::shared_ptr<Stream> GrpcLink::Name(v1::Request request, Hooks hooks, \
                                         absl::Duration patience) {        \
    return std::make_shared<ReadingStream<v1::Request, v1::Response>>(     \
        this,                                                              \
        [this](auto* context, auto* message, auto* reactor) {              \
          stubs()->stub.async()->Method(context, message, reactor);        \
        },                                                                 \
        std::move(request), std::move(hooks), patience);                   \
  }

SHOAL_DEFINE_STREAM(Watch, processes, Watch, WatchRequest, WatchResponse, WatchHooks)
SHOAL_DEFINE_STREAM(ReadOutput, processes, ReadOutput, ReadOutputRequest, ReadOutputResponse,
                    OutputHooks)
SHOAL_DEFINE_STREAM(ReadBlob, blobs, Read, ReadRequest, ReadResponse, BlobHooks)

#undef SHOAL_DEFINE_STREAM

std::shared_ptr<Stream> GrpcLink::StreamInput(InputHooks hooks, absl::Duration patience) {
  return std::make_shared<WritingStream<v1::StreamInputRequest, v1::StreamInputResponse>>(
      this,
      [this](auto* context, auto* reactor) {
        stubs()->processes.async()->StreamInput(context, reactor);
      },
      std::move(hooks), patience);
}

absl::Status GrpcLink::WriteBlob(const BlobSource& source, int64_t begin, BootTime deadline) {
  SHOAL_RETURN_IF_ERROR(internal::CheckNotForked());
  SHOAL_RETURN_IF_ERROR(Tell(connection_.AwaitStubs(deadline)));
  grpc::ClientContext context;
  context.set_deadline(GrpcDeadline(std::min(deadline, BootTime::Now() + kStreamDeadline)));
  v1::WriteResponse response;
  std::unique_ptr<grpc::ClientWriter<v1::WriteRequest>> writer =
      stubs()->blobs.Write(&context, &response);
  v1::WriteRequest request;
  request.set_sha256(source.sha256);
  request.set_size_bytes(source.size_bytes);
  request.set_offset(begin);
  for (int64_t offset = begin; writer->Write(request) && offset < source.size_bytes;
       offset += static_cast<int64_t>(request.data().size())) {
    absl::StatusOr<std::string> piece = source.read(offset);
    if (!piece.ok()) {
      context.TryCancel();
      writer->Finish();
      return piece.status();
    }
    request.Clear();
    request.set_data(*std::move(piece));
  }
  writer->WritesDone();
  const grpc::Status status = writer->Finish();
  NoteAnswer(status);
  return Tell(status);
}

}  // namespace shoal
