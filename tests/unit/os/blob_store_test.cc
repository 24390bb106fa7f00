// Blobs on the disk: resumed, verified, sealed, evicted.
#include "agent/os/blob_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>

#include "absl/time/clock.h"
#include "agent/os/blob_upload.h"
#include "agent/os/remove_tree.h"
#include "common/sha256.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/os/scratch.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;

class BlobStoreTest : public ::testing::Test {
 protected:
  BlobStoreTest() {
    options_.boot_id = kBootId;
    Open();
  }

  // As after kill -9: nothing is said to the store before.
  void Open() {
    store_.reset();
    absl::StatusOr<std::unique_ptr<BlobStore>> opened =
        BlobStore::Open(scratch_.path(), options_, &clock_);
    ASSERT_TRUE(opened.ok()) << opened.status();
    store_ = *std::move(opened);
  }
  std::shared_ptr<BlobUpload> Begin(const std::string& bytes) {
    absl::StatusOr<std::shared_ptr<BlobUpload>> upload =
        store_->BeginUpload(Sha256Of(bytes), static_cast<int64_t>(bytes.size()));
    EXPECT_TRUE(upload.ok()) << upload.status();
    if (!upload.ok() || *upload == nullptr) return nullptr;
    while ((*upload)->HashSome()) {
    }
    return *upload;
  }
  absl::Status Put(const std::string& bytes) {
    std::shared_ptr<BlobUpload> upload = Begin(bytes);
    return upload == nullptr ? absl::OkStatus() : upload->Write(0, bytes);
  }
  std::string PathOf(const std::string& kind, const std::string& bytes) const {
    return scratch_ / ("blobs/" + kind + "/" + DigestToHex(Sha256Of(bytes)));
  }
  static bool ActsForAll(absl::string_view) { return true; }
  bool Has(const std::string& bytes) { return store_->Has(Sha256Of(bytes), ActsForAll); }
  std::optional<int64_t> Missing(const std::string& bytes) {
    return store_->FindMissing(Sha256Of(bytes), ActsForAll);
  }

  void LinkBeside(const std::string& bytes) {
    const absl::StatusOr<BlobStore::Opened> opened = store_->OpenBlob(Sha256Of(bytes));
    ASSERT_TRUE(opened.ok()) << opened.status();
    ASSERT_EQ(
        store_->Link(Sha256Of(bytes), *opened, /*executable=*/true, AT_FDCWD, scratch_ / "beside"),
        0);
  }
  static void WriteWithoutATrace(const std::string& path, const std::string& bytes) {
    struct stat before {};
    ASSERT_EQ(stat(path.c_str(), &before), 0);
    // The clock of the file system may tick every 4 ms only.
    absl::SleepFor(absl::Milliseconds(20));
    chmod(path.c_str(), 0600);
    WriteFile(path, bytes, before.st_mode & 07777);
    const timespec times[2] = {before.st_atim, before.st_mtim};
    ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }

  ScratchDirectory scratch_;
  FakeClock clock_;
  BlobStoreOptions options_;
  std::unique_ptr<BlobStore> store_;
};

TEST_F(BlobStoreTest, AWholeBlobIsThereReadOnlyAndAlsoAfterARestart) {
  const std::string bytes = "a program";
  EXPECT_EQ(Missing(bytes), 0);
  ASSERT_TRUE(Put(bytes).ok());
  struct stat facts {};
  ASSERT_EQ(stat(PathOf("complete", bytes).c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0400u);
  Open();
  EXPECT_TRUE(Has(bytes));
  EXPECT_EQ(Missing(bytes), std::nullopt);
  EXPECT_EQ(Begin(bytes), nullptr) << "nothing is to be written";
  absl::StatusOr<BlobStore::Opened> opened = store_->OpenBlob(Sha256Of(bytes));
  ASSERT_TRUE(opened.ok());
  EXPECT_EQ(opened->size_bytes, 9);
}

TEST_F(BlobStoreTest, AnEmptyBlobIsOneToo) {
  ASSERT_TRUE(Put("").ok());
  EXPECT_TRUE(Has(""));
}

TEST_F(BlobStoreTest, WhatWasReceivedIsGoneOnWithAfterARestart) {
  const std::string bytes(5 << 20, 'x');
  ASSERT_TRUE(Begin(bytes)->Write(0, bytes.substr(0, 3 << 20)).ok());
  Open();
  EXPECT_EQ(Missing(bytes), 3 << 20);
  std::shared_ptr<BlobUpload> upload = Begin(bytes);
  EXPECT_EQ(upload->received_bytes(), 3 << 20);
  EXPECT_EQ(upload->Write((3 << 20) + 1, "x").code(), absl::StatusCode::kOutOfRange);
  ASSERT_TRUE(upload->Write(3 << 20, bytes.substr(3 << 20)).ok());
  EXPECT_TRUE(upload->is_complete());
  EXPECT_EQ(ReadFile(PathOf("complete", bytes)), bytes);
}

TEST_F(BlobStoreTest, WrongBytesAreLostAndNeverThere) {
  std::shared_ptr<BlobUpload> upload = Begin("right");
  EXPECT_EQ(upload->Write(0, "wrong").code(), absl::StatusCode::kDataLoss);
  EXPECT_FALSE(Has("right"));
  EXPECT_FALSE(std::filesystem::exists(PathOf("partial", "right")));
  EXPECT_EQ(Missing("right"), 0);
  ASSERT_TRUE(Put("right").ok());
  EXPECT_TRUE(Has("right"));
}

TEST_F(BlobStoreTest, MoreThanWasDeclaredIsRefusedAndNotWritten) {
  std::shared_ptr<BlobUpload> upload = Begin("right");
  EXPECT_EQ(upload->Write(0, "right and more").code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(upload->received_bytes(), 0);
}

TEST_F(BlobStoreTest, TwoWritersShareOneFileAndOneHash) {
  const std::string bytes = "0123456789";
  std::shared_ptr<BlobUpload> first = Begin(bytes);
  ASSERT_TRUE(first->Write(0, "0123").ok());
  std::shared_ptr<BlobUpload> second = Begin(bytes);
  EXPECT_EQ(first, second);
  ASSERT_TRUE(second->Write(0, "012345").ok()) << "what is known is passed over";
  ASSERT_TRUE(first->Write(4, "456789").ok());
  EXPECT_TRUE(second->Write(6, "6789").ok()) << "it is whole already";
  EXPECT_TRUE(second->is_complete());
  EXPECT_EQ(ReadFile(PathOf("complete", bytes)), bytes);
}

TEST_F(BlobStoreTest, AnotherSizeForABlobThatIsBeingWrittenIsRefused) {
  std::shared_ptr<BlobUpload> upload = Begin("right");
  EXPECT_EQ(store_->BeginUpload(Sha256Of("right"), 6).status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST_F(BlobStoreTest, AWriteToTheFileBreaksItsSeal) {
  const std::string bytes = "a program";
  ASSERT_TRUE(Put(bytes).ok());
  chmod(PathOf("complete", bytes).c_str(), 0600);
  WriteFile(PathOf("complete", bytes), "A program", 0400);
  EXPECT_EQ(store_->OpenBlob(Sha256Of(bytes)).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(Has(bytes));
  // It counts as received, until the digest says otherwise.
  EXPECT_EQ(Missing(bytes), 9);
  EXPECT_EQ(Begin(bytes)->Write(9, "").code(), absl::StatusCode::kDataLoss);
  ASSERT_TRUE(Put(bytes).ok());
  EXPECT_EQ(ReadFile(PathOf("complete", bytes)), bytes);
}

// Beside a process, which puts the times back that it has found.
TEST_F(BlobStoreTest, AWriteThatRestoresTheTimesBreaksTheSealToo) {
  const std::string bytes = "a program";
  ASSERT_TRUE(Put(bytes).ok());
  LinkBeside(bytes);
  ASSERT_TRUE(store_->OpenBlob(Sha256Of(bytes)).ok()) << "a link of the store's own";
  WriteWithoutATrace(scratch_ / "beside", "A program");
  EXPECT_EQ(store_->OpenBlob(Sha256Of(bytes)).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Missing(bytes), 0) << "it is another's file now";
  ASSERT_TRUE(Put(bytes).ok());
  EXPECT_EQ(ReadFile(PathOf("complete", bytes)), bytes);
}

TEST_F(BlobStoreTest, ALinkThatGoesLeavesTheSeal) {
  const std::string bytes = "a program";
  ASSERT_TRUE(Put(bytes).ok());
  LinkBeside(bytes);
  store_->WhileLinksGo([&] { unlink((scratch_ / "beside").c_str()); });
  EXPECT_TRUE(store_->OpenBlob(Sha256Of(bytes)).ok());
  LinkBeside(bytes);
  WriteWithoutATrace(scratch_ / "beside", "A program");
  store_->WhileLinksGo([&] { unlink((scratch_ / "beside").c_str()); });
  EXPECT_EQ(store_->OpenBlob(Sha256Of(bytes)).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(BlobStoreTest, AfterARestartABlobIsLookedIntoOnce) {
  for (const char* now : {"a program", "A program"}) {
    const std::string bytes = "a program";
    ASSERT_TRUE(Put(bytes).ok());
    WriteWithoutATrace(PathOf("complete", bytes), now);
    Open();
    EXPECT_TRUE(Has(bytes)) << "as far as is known without the disk";
    EXPECT_EQ(store_->OpenBlob(Sha256Of(bytes)).ok(), now == bytes) << now;
    EXPECT_EQ(Has(bytes), now == bytes);
  }
}

TEST_F(BlobStoreTest, AfterABootABlobIsHashedBeforeItIsServed) {
  ASSERT_TRUE(Put("a program").ok());
  options_.boot_id = kOtherBootId;
  Open();
  EXPECT_FALSE(Has("a program"));
  EXPECT_EQ(Missing("a program"), 9);
  ASSERT_TRUE(Begin("a program")->Write(9, "").ok());
  EXPECT_TRUE(Has("a program"));
}

TEST_F(BlobStoreTest, BeyondTheCapTheOneUsedLongestAgoGoes) {
  options_.cap_bytes = 20;
  Open();
  for (const char* bytes : {"one 123", "two 123"}) {
    ASSERT_TRUE(Put(bytes).ok());
    clock_.Advance(absl::Minutes(2));
  }
  EXPECT_TRUE(Has("one 123"));  // which is used later than two
  clock_.Advance(absl::Minutes(2));
  ASSERT_TRUE(Put("three 789").ok());
  EXPECT_FALSE(Has("two 123"));
  EXPECT_TRUE(Has("one 123"));
  EXPECT_TRUE(Has("three 789"));
}

TEST_F(BlobStoreTest, TheOrderOfUseIsKeptOverARestart) {
  options_.cap_bytes = 20;
  Open();
  ASSERT_TRUE(Put("one 123").ok());
  ASSERT_TRUE(Put("two 123").ok());
  clock_.Advance(absl::Minutes(2));
  EXPECT_EQ(Missing("one 123"), std::nullopt);
  clock_.Advance(absl::Minutes(2));
  Open();
  ASSERT_TRUE(Put("three 789").ok());
  EXPECT_TRUE(Has("one 123"));
  EXPECT_FALSE(Has("two 123"));
}

TEST_F(BlobStoreTest, WhatIsInUseIsNotEvicted) {
  options_.cap_bytes = 20;
  Open();
  ASSERT_TRUE(Put("linked").ok());
  absl::StatusOr<BlobStore::Opened> opened = store_->OpenBlob(Sha256Of("linked"));
  ASSERT_TRUE(opened.ok());
  ASSERT_EQ(
      store_->Link(Sha256Of("linked"), *opened, /*executable=*/true, AT_FDCWD, scratch_ / "beside"),
      0);
  struct stat facts {};
  ASSERT_EQ(stat((scratch_ / "beside").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0500u);
  clock_.Advance(absl::Minutes(2));
  ASSERT_TRUE(Put("just used").ok());
  const absl::Status status = Put("no room for it");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("15 of 20 bytes"));
  EXPECT_TRUE(Has("linked"));
  EXPECT_TRUE(Has("just used"));
}

TEST_F(BlobStoreTest, ABlobLargerThanTheStoreIsRefusedAtOnce) {
  options_.cap_bytes = 20;
  Open();
  const absl::Status status = store_->BeginUpload(Sha256Of("x"), 21).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("blob-cap"));
}

TEST_F(BlobStoreTest, WhatIsDeclaredAndNeverSentTakesNoRoomFromOthers) {
  options_.cap_bytes = 20;
  Open();
  std::shared_ptr<BlobUpload> upload = Begin("fifteen bytes..");
  EXPECT_TRUE(Put("ten bytes.").ok());
}

TEST_F(BlobStoreTest, WhatWasReceivedTakesRoomUntilItsUploadIsIdleForLong) {
  options_.cap_bytes = 20;
  Open();
  std::shared_ptr<BlobUpload> upload = Begin("fifteen bytes..");
  ASSERT_TRUE(upload->Write(0, "fifteen bytes.").ok());
  EXPECT_EQ(Put("ten bytes.").code(), absl::StatusCode::kResourceExhausted);
  clock_.Advance(absl::Minutes(2));
  EXPECT_TRUE(Put("ten bytes.").ok());
  EXPECT_EQ(upload->Write(14, ".").code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Missing("fifteen bytes.."), 0);
}

TEST_F(BlobStoreTest, PartialBlobsGoAfterADayAndForeignNamesAtOnce) {
  ASSERT_TRUE(Begin("never finished")->Write(0, "never").ok());
  WriteFile(scratch_ / "blobs/partial/name", "x");
  WriteFile(scratch_ / "blobs/complete/0123", "x");
  std::filesystem::create_directories(PathOf("complete", "a directory") + "/below");
  clock_.Advance(absl::Now() - clock_.Now());  // the file's own time counts after a restart
  Open();
  EXPECT_EQ(Missing("never finished"), 5);
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "blobs/partial/name"));
  EXPECT_FALSE(std::filesystem::exists(scratch_ / "blobs/complete/0123"));
  EXPECT_FALSE(std::filesystem::exists(PathOf("complete", "a directory")));
  clock_.Advance(absl::Hours(25));
  Open();
  EXPECT_EQ(Missing("never finished"), 0);
  EXPECT_FALSE(std::filesystem::exists(PathOf("partial", "never finished")));
}

TEST_F(BlobStoreTest, AnAgentKilledWhileItMadeABlobCompleteLosesNothing) {
  const std::string bytes = "all of it";
  ASSERT_TRUE(Put(bytes).ok());  // sealed and read-only, but for the rename
  for (const char* boot_id : {kBootId, kOtherBootId}) {
    std::filesystem::rename(PathOf("complete", bytes), PathOf("partial", bytes));
    options_.boot_id = boot_id;
    clock_.Advance(absl::Now() - clock_.Now());
    Open();
    EXPECT_EQ(Missing(bytes), 9);
    struct stat facts {};
    ASSERT_EQ(stat(PathOf("partial", bytes).c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 07777, 0600u) << "or only root could open it";
    Open();
    EXPECT_EQ(Missing(bytes), 9) << "nor is it too old at the next start";
    ASSERT_TRUE(Begin(bytes)->Write(9, "").ok());
    EXPECT_TRUE(Has(bytes));
  }
}

TEST_F(BlobStoreTest, APartialBlobThatBecameReadOnlyIsGoneOnWith) {
  ASSERT_TRUE(Begin("never finished")->Write(0, "never").ok());
  chmod(PathOf("partial", "never finished").c_str(), 0400);
  ASSERT_NE(Begin("never finished"), nullptr);
  struct stat facts {};
  ASSERT_EQ(stat(PathOf("partial", "never finished").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0600u);
}

TEST_F(BlobStoreTest, WhenNoBlobMayGoThePartialOneWrittenLongestAgoDoes) {
  options_.cap_bytes = 20;
  Open();
  for (const char* bytes : {"one 123 and more", "two 123 and more"}) {
    ASSERT_TRUE(Begin(bytes)->Write(0, std::string(bytes, 7)).ok());
    clock_.Advance(absl::Seconds(1));
  }
  std::shared_ptr<BlobUpload> written = Begin("three 789");
  ASSERT_NE(written, nullptr);
  ASSERT_TRUE(written->Write(0, "three 78").ok());
  EXPECT_EQ(Missing("one 123 and more"), 0);
  EXPECT_FALSE(std::filesystem::exists(PathOf("partial", "one 123 and more")));
  EXPECT_EQ(Missing("two 123 and more"), 7);
  EXPECT_EQ(Begin("two 123 and more")->Write(7, " and more").code(),
            absl::StatusCode::kResourceExhausted)
      << "neither itself nor what is being written makes room for it";
  EXPECT_EQ(Missing("two 123 and more"), 7);
}

TEST_F(BlobStoreTest, WhatWasBegunAndNeverReceivedLeavesNoFile) {
  Begin("begun");
  EXPECT_TRUE(std::filesystem::exists(PathOf("partial", "begun")));
  Begin("another");
  EXPECT_FALSE(std::filesystem::exists(PathOf("partial", "begun")));
  Open();
  EXPECT_FALSE(std::filesystem::exists(PathOf("partial", "another")));
}

TEST_F(BlobStoreTest, ALinkInThePlaceOfABlobIsNotFollowed) {
  WriteFile(scratch_ / "victim", "untouched", 0600);
  std::filesystem::create_symlink(scratch_ / "victim", PathOf("partial", "planted"));
  EXPECT_FALSE(store_->BeginUpload(Sha256Of("planted"), 7).ok());
  EXPECT_EQ(ReadFile(scratch_ / "victim"), "untouched");
}

TEST(RemoveTree, WhateverAProcessMadeOfItsDirectoryGoes) {
  ScratchDirectory scratch;
  std::string path = scratch / "tree";
  for (int depth = 0; depth < 100; ++depth) {
    ASSERT_EQ(mkdir(path.c_str(), 0700), 0);
    path += "/d";
  }
  WriteFile(scratch / "kept", "x");
  std::filesystem::create_symlink(scratch / "kept", scratch / "tree/link");
  std::filesystem::create_directories(scratch / "tree/closed/below");
  chmod((scratch / "tree/closed").c_str(), 0);
  const int parent = open(scratch.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  EXPECT_TRUE(RemoveTree(parent, "tree"));
  EXPECT_TRUE(RemoveTree(parent, "tree")) << "it is gone already";
  close(parent);
  EXPECT_FALSE(std::filesystem::exists(scratch / "tree"));
  EXPECT_EQ(ReadFile(scratch / "kept"), "x");
}

}  // namespace
}  // namespace shoal::agent
