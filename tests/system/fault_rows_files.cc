// Rows about files that are sent along.
#include <sys/mount.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/sha256.h"
#include "shoal/v1/blob_service.grpc.pb.h"
#include "tests/system/fault_table.h"

namespace shoal::testing {
namespace {

using grpc::StatusCode;

v1::ProcessSpec SpecWithFile(const std::string& path) {
  v1::ProcessSpec spec = SpecOf({"/bin/true"});
  v1::ShippedFile* file = spec.add_files();
  file->set_path(path);
  file->set_data("x");
  return spec;
}

void FileThatWouldLeaveItsDirectory(FaultTest& test) {
  for (const char* path : {"../../x", "/etc/x", "a/../../x", "./x", "a//x"}) {
    test.ExpectSpawnRefused(SpecWithFile(path), StatusCode::INVALID_ARGUMENT, {"files[0].path"});
  }
  // What a spec cannot say: links and devices. Its modes are plain or executable, no more.
  v1::ProcessSpec spec = SpecOf({"/usr/bin/stat", "-c", "%a %F", "x"});
  v1::ShippedFile* file = spec.add_files();
  file->set_path("x");
  file->set_data("bytes");
  file->set_executable(true);
  v1::Process process;
  ASSERT_TRUE(test.Spawn(spec, &process).ok());
  test.stub().Wait(process.id(), v1::WaitRequest::UNTIL_EMPTY);
  EXPECT_EQ(test.stub().Output(process.id(), v1::STREAM_KIND_STDOUT), "700 regular file\n");
}

// Writes `bytes` as the blob of `sha256` that is to have `size` bytes.
grpc::Status WriteBlob(FaultTest& test, const std::string& sha256, const std::string& bytes,
                       size_t size) {
  std::unique_ptr<v1::BlobService::Stub> blobs = v1::BlobService::NewStub(test.stub().channel());
  CallContext context;
  v1::WriteResponse response;
  auto writer = blobs->Write(&context, &response);
  v1::WriteRequest request;
  request.set_sha256(sha256);
  request.set_size_bytes(static_cast<int64_t>(size));
  request.set_data(bytes);
  writer->Write(request);
  writer->WritesDone();
  return writer->Finish();
}

void BlobThatIsNotWhatItSays(FaultTest& test) {
  const std::string sha256 = Sha256Of("what was meant");
  ExpectStatus(WriteBlob(test, sha256, "what was meant", 4), StatusCode::INVALID_ARGUMENT,
               {"4 bytes"});
  ExpectStatus(WriteBlob(test, sha256, "what was sent!", 14), StatusCode::DATA_LOSS, {"digest"});
  EXPECT_TRUE(std::filesystem::is_empty(test.agent().state_dir() + "/blobs/partial"));
  ExpectStatus(WriteBlob(test, sha256, "what", 14), StatusCode::INVALID_ARGUMENT, {"4 of 14"});
  v1::ProcessSpec spec = SpecOf({"/bin/true"});
  v1::ShippedFile* file = spec.add_files();
  file->set_path("x");
  file->set_sha256(sha256);
  test.ExpectSpawnRefused(spec, StatusCode::FAILED_PRECONDITION,
                          {DigestToHex(sha256).substr(0, 12), "'x'"});
  EXPECT_TRUE(WriteBlob(test, sha256, "what was meant", 14).ok());
  EXPECT_TRUE(test.Spawn(spec).ok());
}

void DiskFullOfFiles(FaultTest& test) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root to mount";
  AgentProcess& agent = test.AddAgent("ant");
  MountSmallState(test, agent, 5 << 20);
  ASSERT_TRUE(agent.Start());
  const std::string small(500'000, 's');
  const std::string large(900'000, 'l');
  ASSERT_TRUE(WriteBlob(test, Sha256Of(small), small, small.size()).ok());
  // Seven copies do not fit; what was placed of them is gone, and the request is forgotten.
  v1::ProcessSpec spec = SpecOf({"/bin/true"});
  for (int i = 0; i < 7; ++i) {
    v1::ShippedFile* file = spec.add_files();
    file->set_path(absl::StrCat("copy", i));
    file->set_sha256(Sha256Of(small));
  }
  ExpectStatus(test.Spawn(spec), StatusCode::RESOURCE_EXHAUSTED, {"copy", "No space left"});
  EXPECT_TRUE(std::filesystem::is_empty(agent.state_dir() + "/files"));
  EXPECT_TRUE(test.stub().List().empty());
  test.WriteFile(agent.state_dir() + "/filler", std::string(7 << 20, 'f'));
  ExpectStatus(WriteBlob(test, Sha256Of(large), large, large.size()),
               StatusCode::RESOURCE_EXHAUSTED, {"the rest of the disk is reserved for the agent"});
  std::filesystem::remove(agent.state_dir() + "/filler");
  EXPECT_TRUE(WriteBlob(test, Sha256Of(large), large, large.size()).ok());
  EXPECT_TRUE(test.Spawn(spec).ok());
  test.stub().TerminateAll();
  agent.Stop();
  umount2(agent.state_dir().c_str(), MNT_DETACH);
}

}  // namespace

std::vector<FaultRow> FileRows() {
  return {{56, "FileThatWouldLeaveItsDirectory", &FileThatWouldLeaveItsDirectory},
          {57, "BlobThatIsNotWhatItSays", &BlobThatIsNotWhatItSays},
          {66, "DiskFullOfFiles", &DiskFullOfFiles, /*start_agent=*/false}};
}

}  // namespace shoal::testing
