// The calls of a Host about blobs and libraries.
#include <grpcpp/client_context.h>
#include <grpcpp/support/sync_stream.h>

#include <memory>
#include <utility>

#include "absl/time/clock.h"
#include "shoal/host.h"
#include "shoal/wire/host_rep.h"
#include "shoal/wire/unary_call.h"
#include "shoal/wire/wire_status.h"

namespace shoal {

void Host::FindMissingBlobs(v1::FindMissingRequest request, CallOptions options,
                            Done<v1::FindMissingResponse> done) {
  Rep* rep = rep_.get();
  UnaryCall<v1::FindMissingRequest, v1::FindMissingResponse>::Run(
      rep,
      [rep](auto* context, auto* message, auto* response, auto callback) {
        rep->blobs.async()->FindMissing(context, message, response, std::move(callback));
      },
      std::move(request), options, std::move(done));
}

absl::StatusOr<v1::FindMissingResponse> Host::FindMissingBlobs(v1::FindMissingRequest request,
                                                               CallOptions options) {
  return Await<v1::FindMissingResponse>([&](Done<v1::FindMissingResponse> done) {
    FindMissingBlobs(std::move(request), options, std::move(done));
  });
}

void Host::FindMissingLibraries(v1::FindMissingLibrariesRequest request, CallOptions options,
                                Done<v1::FindMissingLibrariesResponse> done) {
  Rep* rep = rep_.get();
  UnaryCall<v1::FindMissingLibrariesRequest, v1::FindMissingLibrariesResponse>::Run(
      rep,
      [rep](auto* context, auto* message, auto* response, auto callback) {
        rep->hosts.async()->FindMissingLibraries(context, message, response, std::move(callback));
      },
      std::move(request), options, std::move(done));
}

absl::StatusOr<v1::FindMissingLibrariesResponse> Host::FindMissingLibraries(
    v1::FindMissingLibrariesRequest request, CallOptions options) {
  return Await<v1::FindMissingLibrariesResponse>([&](Done<v1::FindMissingLibrariesResponse> done) {
    FindMissingLibraries(std::move(request), options, std::move(done));
  });
}

absl::Status Host::WriteBlob(const BlobSource& source, CallOptions options) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + options.timeout));
  v1::WriteResponse response;
  std::unique_ptr<grpc::ClientWriter<v1::WriteRequest>> writer =
      rep_->blobs.Write(&context, &response);
  v1::WriteRequest request;
  request.set_sha256(source.sha256);
  request.set_size_bytes(source.size_bytes);
  request.set_offset(source.offset);
  for (int64_t offset = source.offset; writer->Write(request) && offset < source.size_bytes;
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
  rep_->NoteAnswer(status);
  return status.ok() ? absl::OkStatus() : FromWire(rep_->address, status);
}

absl::Status Host::ReadBlob(absl::string_view sha256, int64_t offset, const BlobSink& sink,
                            CallOptions options) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + options.timeout));
  v1::ReadRequest request;
  request.set_sha256(std::string(sha256));
  request.set_offset(offset);
  std::unique_ptr<grpc::ClientReader<v1::ReadResponse>> reader =
      rep_->blobs.Read(&context, request);
  v1::ReadResponse response;
  absl::Status taken;
  while (taken.ok() && reader->Read(&response)) taken = sink(response.offset(), response.data());
  if (!taken.ok()) context.TryCancel();
  const grpc::Status status = reader->Finish();
  rep_->NoteAnswer(status);
  if (!taken.ok()) return taken;
  return status.ok() ? absl::OkStatus() : FromWire(rep_->address, status);
}

}  // namespace shoal
