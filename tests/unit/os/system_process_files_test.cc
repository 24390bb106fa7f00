// Files put in their places beside a process.
#include "agent/os/system_process_files.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "agent/os/blob_upload.h"
#include "agent/os/system_clock.h"
#include "common/sha256.h"
#include "tests/unit/os/scratch.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ProcessFilesTest : public ::testing::Test {
 protected:
  ProcessFilesTest() {
    loop_ = *EventLoop::Create();
    BlobStoreOptions options;
    options.boot_id = kBootId;
    blobs_ = *BlobStore::Open(scratch_.path(), options, &clock_);
    helper_ = std::make_unique<HelperThread>();
    files_ = *SystemProcessFiles::Open(scratch_.path(), blobs_.get(), helper_.get(), loop_.get());
  }

  SpecFile Blob(const std::string& path, const std::string& bytes, bool executable = false) {
    auto upload = blobs_->BeginUpload(Sha256Of(bytes), static_cast<int64_t>(bytes.size()));
    EXPECT_TRUE(upload.ok()) << upload.status();
    if (*upload != nullptr) {
      EXPECT_TRUE((*upload)->Write(0, bytes).ok());
    }
    return {.path = path, .sha256 = Sha256Of(bytes), .executable = executable};
  }
  std::optional<StartFailure> Prepare(const std::string& id, std::vector<SpecFile> files,
                                      InlineFiles contents = {}) {
    auto spec = std::make_shared<Spec>();
    spec->files = std::move(files);
    std::optional<StartFailure> failure;
    bool done = false;
    files_->Prepare(id, spec, std::make_shared<InlineFiles>(std::move(contents)),
                    [&](std::optional<StartFailure> failed) {
                      failure = std::move(failed);
                      done = true;
                    });
    EXPECT_TRUE(RunUntil(loop_.get(), [&done] { return done; }));
    return failure;
  }
  mode_t ModeOf(const std::string& path) {
    struct stat facts {};
    EXPECT_EQ(lstat(path.c_str(), &facts), 0) << path;
    return facts.st_mode & 07777;
  }

  ScratchDirectory scratch_;
  SystemClock clock_;
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<BlobStore> blobs_;
  std::unique_ptr<HelperThread> helper_;
  std::unique_ptr<SystemProcessFiles> files_;
};

TEST_F(ProcessFilesTest, EachIsInItsPlaceWithItsMode) {
  const std::optional<StartFailure> failure =
      Prepare("a", {Blob("sim", "program", true), Blob("data/deep/mesh", "mesh"), {.path = "note"}},
              {"", "", "inline"});
  ASSERT_FALSE(failure.has_value()) << failure->message;
  const std::string directory = files_->DirectoryOf("a");
  EXPECT_EQ(directory, scratch_ / "files/a");
  EXPECT_EQ(ModeOf(directory), 0700u);
  EXPECT_EQ(ReadFile(directory + "/sim"), "program");
  EXPECT_EQ(ModeOf(directory + "/sim"), 0700u);
  EXPECT_EQ(ReadFile(directory + "/data/deep/mesh"), "mesh");
  EXPECT_EQ(ModeOf(directory + "/data/deep/mesh"), 0600u);
  EXPECT_EQ(ReadFile(directory + "/note"), "inline");
}

TEST_F(ProcessFilesTest, WhatAProcessWritesToItsCopyStaysItsOwn) {
  const SpecFile file = Blob("data", std::string(2 << 20, 'd'));
  ASSERT_FALSE(Prepare("a", {file}).has_value());
  ASSERT_FALSE(Prepare("b", {file}).has_value());
  WriteFile(scratch_ / "files/a/data", "mine", 0600);
  EXPECT_EQ(ReadFile(scratch_ / "files/b/data"), std::string(2 << 20, 'd'));
  EXPECT_TRUE(blobs_->OpenBlob(file.sha256).ok());
}

TEST_F(ProcessFilesTest, ALargeProgramSharesItsBlocksWithTheBlobAndOutlivesIt) {
  const std::string program(2 << 20, 'p');
  ASSERT_FALSE(Prepare("a", {Blob("sim", program, true)}).has_value());
  EXPECT_EQ(ModeOf(scratch_ / "files/a/sim") & 0500, 0500u);
  std::filesystem::remove(scratch_ / ("blobs/complete/" + DigestToHex(Sha256Of(program))));
  EXPECT_EQ(ReadFile(scratch_ / "files/a/sim"), program);
}

TEST_F(ProcessFilesTest, ABlobThatWentMeanwhileFailsWithItsNameAndLeavesNothing) {
  SpecFile gone = Blob("gone", "gone");
  ASSERT_TRUE(std::filesystem::remove(scratch_ / ("blobs/complete/" + DigestToHex(gone.sha256))));
  const std::optional<StartFailure> failure = Prepare("a", {Blob("sim", "program"), gone});
  ASSERT_TRUE(failure.has_value());
  EXPECT_EQ(failure->stage, "files");
  EXPECT_EQ(failure->error_number, ENOENT);
  EXPECT_THAT(failure->message, HasSubstr("gone"));
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "files/a"));
}

TEST_F(ProcessFilesTest, APathThatLeavesTheDirectoryIsRefusedHereToo) {
  for (const char* path : {"../escaped", "/escaped", "a/../../escaped"}) {
    const std::optional<StartFailure> failure = Prepare("a", {{.path = path}}, {"bytes"});
    EXPECT_TRUE(failure.has_value()) << path;
  }
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "files/escaped"));
  EXPECT_FALSE(std::filesystem::exists("/escaped"));
}

TEST_F(ProcessFilesTest, CheckNamesTheMissingBlobAndItsFile) {
  Spec spec;
  spec.files = {Blob("there", "there"), {.path = "mesh", .sha256 = Sha256Of("elsewhere")}};
  const absl::Status status = files_->Check(spec, [](absl::string_view) { return true; });
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(status.message(), AllOf(HasSubstr(DigestToHex(Sha256Of("elsewhere")).substr(0, 12)),
                                      HasSubstr("'mesh'")));
}

TEST_F(ProcessFilesTest, DirectoriesGoWithTheirProcessesAndUnknownOnesAtRecovery) {
  for (const char* id : {"a", "b", "c"}) {
    ASSERT_FALSE(Prepare(id, {{.path = "note"}}, {"x"}).has_value());
  }
  files_->Remove("a");
  files_->RemoveAllBut({"b"});
  ASSERT_FALSE(Prepare("d", {{.path = "note"}}, {"x"}).has_value());  // after those
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "files/a"));
  EXPECT_TRUE(std::filesystem::exists(scratch_ / "files/b"));
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "files/c"));
}

}  // namespace
}  // namespace shoal::agent
