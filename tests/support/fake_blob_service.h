// The BlobService of a FakeAgent: digests are names, and not checked.
//
// Ownership:     the FakeAgent's Rep.
// Thread-safety: thread-safe.
// Blocking:      as a service.
// Errors:        those that the test has planned.
#ifndef SHOAL_TESTS_SUPPORT_FAKE_BLOB_SERVICE_H_
#define SHOAL_TESTS_SUPPORT_FAKE_BLOB_SERVICE_H_

#include <string>

#include "common/mutex.h"
#include "shoal/v1/blob_service.grpc.pb.h"
#include "tests/support/fake_agent_rep.h"

namespace shoal::testing {

class FakeAgent::Rep::Blobs final : public v1::BlobService::Service {
 public:
  explicit Blobs(Rep* rep) : rep_(rep) {}

  grpc::Status FindMissing(grpc::ServerContext*, const v1::FindMissingRequest* request,
                           v1::FindMissingResponse* response) override {
    SHOAL_FAKE_BEGIN("FindMissing", "");
    MutexLock lock(&rep_->mu);
    for (const std::string& sha256 : request->sha256()) {
      const Blob& blob = rep_->blobs[sha256];
      if (blob.is_whole) continue;
      v1::MissingBlob* missing = response->add_missing();
      missing->set_sha256(sha256);
      missing->set_received_bytes(static_cast<int64_t>(blob.bytes.size()));
    }
    return grpc::Status::OK;
  }

  grpc::Status Write(grpc::ServerContext*, grpc::ServerReader<v1::WriteRequest>* reader,
                     v1::WriteResponse*) override {
    SHOAL_FAKE_BEGIN("BlobWrite", "");
    Plan plan = rep_->Break("BlobWrite");
    v1::WriteRequest first;
    for (v1::WriteRequest piece; reader->Read(&piece);) {
      if (plan.messages-- == 0) return ToWire(plan.status);
      MutexLock lock(&rep_->mu);
      if (!piece.sha256().empty()) {
        first = piece;
        rep_->blobs[first.sha256()].bytes.resize(static_cast<size_t>(first.offset()));
      }
      Blob& blob = rep_->blobs[first.sha256()];
      blob.bytes.append(piece.data());
      blob.is_whole = static_cast<int64_t>(blob.bytes.size()) == first.size_bytes();
    }
    return rep_->Answer("BlobWrite");
  }

  grpc::Status Read(grpc::ServerContext*, const v1::ReadRequest* request,
                    grpc::ServerWriter<v1::ReadResponse>* writer) override {
    SHOAL_FAKE_BEGIN("BlobRead", "");
    Plan plan = rep_->Break("BlobRead");
    std::string bytes;
    size_t piece_bytes = 0;
    {
      MutexLock lock(&rep_->mu);
      if (!rep_->blobs[request->sha256()].is_whole) {
        return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such blob");
      }
      bytes = rep_->blobs[request->sha256()].bytes;
      piece_bytes = rep_->frame_bytes;
    }
    for (auto offset = static_cast<size_t>(request->offset()); offset < bytes.size();
         offset += piece_bytes) {
      if (plan.messages-- == 0) return ToWire(plan.status);
      v1::ReadResponse piece;
      piece.set_offset(static_cast<int64_t>(offset));
      piece.set_data(bytes.substr(offset, piece_bytes));
      if (!writer->Write(piece)) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone");
    }
    return grpc::Status::OK;
  }

 private:
  Rep* const rep_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_FAKE_BLOB_SERVICE_H_
