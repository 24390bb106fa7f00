#include "agent/rpc/blob_service.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "agent/os/blob_store.h"
#include "agent/os/helper_thread.h"
#include "agent/rpc/blob_write_call.h"
#include "agent/rpc/status_to_grpc.h"
#include "agent/rpc/stream_reactor.h"
#include "agent/rpc/unary_call.h"
#include "agent/spec/field_checks.h"
#include "common/sha256.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr int kMaxDigests = 10'000;
constexpr size_t kChunkBytes = size_t{256} << 10;

absl::Status CheckDigest(absl::string_view field, const std::string& sha256) {
  if (sha256.size() == kSha256Bytes) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(field, " is ", sha256.size(), " bytes, must be ", kSha256Bytes));
}

absl::Status CheckFindMissing(const v1::FindMissingRequest& request) {
  SHOAL_RETURN_IF_ERROR(CheckCount("sha256", request.sha256_size(), kMaxDigests));
  for (int i = 0; i < request.sha256_size(); ++i) {
    SHOAL_RETURN_IF_ERROR(CheckDigest(absl::StrCat("sha256[", i, "]"), request.sha256(i)));
  }
  return absl::OkStatus();
}

// One blob on its way to a client. Shared by the hooks of its stream and the closure that is on the
// thread of disk work, where everything of it runs.
class BlobReader : public std::enable_shared_from_this<BlobReader> {
 public:
  using Stream = StreamReactor<v1::ReadResponse>;

  BlobReader(const Edge* edge, Permit permit, v1::ReadRequest request,
             std::shared_ptr<Stream> stream)
      : edge_(edge),
        permit_(std::move(permit)),
        request_(std::move(request)),
        stream_(std::move(stream)) {}

  void Wake() {
    edge_->PostBlobWork(permit_, [self = shared_from_this()] { self->PushSome(); });
  }

 private:
  // One chunk, so that others have their turn.
  void PushSome() {
    if (stream_->IsEnding()) return;
    if (!blob_.has_value()) {
      absl::Status opened = Open();
      if (!opened.ok()) return stream_->End(ToGrpc(opened));
    }
    if (offset_ >= blob_->size_bytes) return stream_->Close(grpc::Status::OK);
    if (!stream_->HasRoom()) return;
    absl::StatusOr<std::string> chunk = ReadChunk();
    if (!chunk.ok()) return stream_->End(ToGrpc(chunk.status()));
    const size_t size = chunk->size();
    v1::ReadResponse response;
    response.set_offset(offset_);
    response.set_data(*std::move(chunk));
    if (stream_->Push(std::move(response), size)) offset_ += static_cast<int64_t>(size);
    Wake();
  }

  absl::Status Open() {
    SHOAL_RETURN_IF_ERROR(CheckDigest("sha256", request_.sha256()));
    const bool is_held =
        edge_->blobs->holders()->Holds(request_.sha256(), IsCallersOf(permit_.caller()));
    if (!is_held) return absl::NotFoundError("this host has no such blob of yours");
    SHOAL_ASSIGN_OR_RETURN(BlobStore::Opened opened, edge_->blobs->OpenBlob(request_.sha256()));
    if (request_.offset() < 0 || request_.offset() > opened.size_bytes) {
      return absl::OutOfRangeError(absl::StrCat("offset ", request_.offset(), ": the blob has ",
                                                opened.size_bytes, " bytes"));
    }
    offset_ = request_.offset();
    blob_ = std::move(opened);
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> ReadChunk() const {
    const auto left = static_cast<uint64_t>(blob_->size_bytes - offset_);
    std::string chunk(static_cast<size_t>(std::min<uint64_t>(left, kChunkBytes)), '\0');
    const ssize_t got = pread(blob_->fd.get(), chunk.data(), chunk.size(), offset_);
    if (got < 0) return ErrnoStatus(errno, "read of a blob");
    if (got == 0) return absl::DataLossError("the blob became shorter while it was read");
    chunk.resize(static_cast<size_t>(got));
    return chunk;
  }

  const Edge* const edge_;
  const Permit permit_;
  const v1::ReadRequest request_;
  const std::shared_ptr<Stream> stream_;
  std::optional<BlobStore::Opened> blob_;
  int64_t offset_ = 0;
};

}  // namespace

grpc::ServerUnaryReactor* BlobService::FindMissing(grpc::CallbackServerContext* context,
                                                   const v1::FindMissingRequest* request,
                                                   v1::FindMissingResponse* response) {
  auto call = UnaryCall<v1::FindMissingResponse>::Begin(edge_, *context, *request, response);
  if (!call->has_permit()) return call.get();
  if (absl::Status checked = CheckFindMissing(*request); !checked.ok())
    return call->Failed(checked);
  std::vector<std::string> digests(request->sha256().begin(), request->sha256().end());
  call->Allow();
  edge_->PostBlobWork(call->permit(), [edge = edge_, digests = std::move(digests), call] {
    const auto is_callers = IsCallersOf(call->permit().caller());
    v1::FindMissingResponse found;
    for (const std::string& sha256 : digests) {
      std::optional<int64_t> received = edge->blobs->FindMissing(sha256, is_callers);
      if (!received.has_value()) continue;
      v1::MissingBlob* missing = found.add_missing();
      missing->set_sha256(sha256);
      missing->set_received_bytes(*received);
    }
    call->Answer([&](v1::FindMissingResponse* filled) { filled->Swap(&found); });
  });
  return call.get();
}

grpc::ServerReadReactor<v1::WriteRequest>* BlobService::Write(grpc::CallbackServerContext* context,
                                                              v1::WriteResponse* response) {
  return BlobWriteCall::Begin(edge_, edge_->callers->Authorize(*context, Verb::kWriteBlob),
                              response);
}

grpc::ServerWriteReactor<v1::ReadResponse>* BlobService::Read(grpc::CallbackServerContext* context,
                                                              const v1::ReadRequest* request) {
  const absl::StatusOr<Permit> permit = edge_->callers->Authorize(*context, Verb::kReadBlob);
  auto stream = BlobReader::Stream::Begin(edge_, permit, *request, kChunkBytes);
  if (!permit.ok()) return stream.get();
  auto lease = edge_->quota->Take(CallQuota::Kind::kStream, *permit);
  if (!lease.ok()) {
    stream->End(ToGrpc(lease.status()));
    return stream.get();
  }
  auto reader = std::make_shared<BlobReader>(edge_, *permit, *request, stream);
  stream->SetHooks([reader] { reader->Wake(); }, [lease = *std::move(lease)] {});
  reader->Wake();
  return stream.get();
}

}  // namespace shoal::agent
