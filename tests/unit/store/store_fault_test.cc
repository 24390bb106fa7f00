// The store on a full disk, after kill -9, and over a file that is not what it wrote.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <map>
#include <string>

#include "agent/store/schema.h"
#include "agent/store/sqlite_store.h"
#include "tests/unit/store/store_fixture.h"

namespace shoal::agent {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr int kBatch = 32;

// Commits batches for ever; one byte per commit tells of it.
[[noreturn]] void CommitForEver(const std::string& dir, int report) {
  auto store = SqliteStore::Open(dir, "0.2.0", absl::Hours(24));
  if (!store.ok() || !(*store)->Load().ok()) _exit(1);
  for (int batch = 0;; ++batch) {
    for (int i = 0; i < kBatch; ++i) {
      ProcessEntry process = EntryOf(absl::StrCat(batch, ".", i));
      process.request_index = batch;
      (*store)->PutProcess(process);
    }
    if (!(*store)->Commit().ok() || write(report, "x", 1) != 1) _exit(2);
  }
}

class StoreKillTest : public StoreTest, public ::testing::WithParamInterface<int> {};

TEST_P(StoreKillTest, AKilledAgentKeepsEveryCommitAndNoHalfOfOne) {
  std::array<int, 2> report{};
  ASSERT_EQ(pipe(report.data()), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(report[0]);
    CommitForEver(dir_.path(), report[1]);
  }
  close(report[1]);
  int acknowledged = 0;
  char byte = 0;
  while (acknowledged < GetParam() && read(report[0], &byte, 1) == 1) ++acknowledged;
  kill(child, SIGKILL);
  while (read(report[0], &byte, 1) == 1) ++acknowledged;
  close(report[0]);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << status;

  std::map<int, int> batches;
  for (const ProcessEntry& process : Reload().processes) ++batches[process.request_index];
  EXPECT_GE(batches.size(), static_cast<size_t>(acknowledged));
  EXPECT_LE(batches.size(), static_cast<size_t>(acknowledged) + 1);
  for (const auto& [batch, count] : batches) EXPECT_EQ(count, kBatch) << batch;
}

INSTANTIATE_TEST_SUITE_P(AfterCommits, StoreKillTest, ::testing::Values(1, 7, 40, 200));

TEST_F(StoreTest, AFullDiskDropsTheTurnAndNothingElse) {
  Reload();
  store_->PutProcess(EntryOf("A"));
  ASSERT_TRUE(store_->Commit().ok());
  ASSERT_TRUE(store_->LimitPages(1).ok());  // means: no more than it has
  ProcessEntry large = EntryOf("B");
  large.spec = SpecOf(std::string(1 << 20, 'x'));
  store_->PutProcess(large);
  store_->PutProcess(EntryOf("C"));
  EXPECT_TRUE(store_->IsDirty());
  absl::Status full = store_->Commit();
  EXPECT_EQ(full.code(), absl::StatusCode::kResourceExhausted) << full;
  EXPECT_THAT(full.message(), AllOf(HasSubstr("shoal.db"), HasSubstr("full")));
  EXPECT_FALSE(store_->IsDirty());

  ASSERT_TRUE(store_->LimitPages(1 << 20).ok());
  store_->PutProcess(EntryOf("D"));
  ASSERT_TRUE(store_->Commit().ok());
  std::map<std::string, int> ids;
  for (const ProcessEntry& process : Reload().processes) ++ids[process.id];
  EXPECT_THAT(ids, ::testing::ElementsAre(::testing::Pair("A", 1), ::testing::Pair("D", 1)));
}

TEST_F(StoreTest, AFileThatIsNoDatabaseIsRefusedWithTheRemedy) {
  std::ofstream(dir_.file()) << std::string(8192, 'z');
  auto opened = SqliteStore::Open(dir_.path(), "0.2.0", absl::Hours(24));
  EXPECT_EQ(opened.status().code(), absl::StatusCode::kFailedPrecondition) << opened.status();
  EXPECT_THAT(opened.status().message(),
              AllOf(HasSubstr(dir_.file()), HasSubstr("damaged"), HasSubstr("move it away")));
}

class StoreDamageTest : public StoreTest {
 protected:
  // A database of many pages, closed; `clean` or as a kill would leave it.
  void Fill(bool clean) {
    Reload();
    for (int i = 0; i < 2000; ++i) store_->PutProcess(EntryOf(absl::StrCat("P", i)));
    ASSERT_TRUE(store_->Commit().ok());
    if (!clean) return Tamper("UPDATE meta SET value='0' WHERE key='clean'");
    store_.reset();
  }
  void ExpectRefused() {
    auto opened = SqliteStore::Open(dir_.path(), "0.2.0", absl::Hours(24));
    absl::Status status = opened.ok() ? (*opened)->Load().status() : opened.status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_THAT(status.message(), AllOf(HasSubstr(dir_.file()), HasSubstr("is damaged")));
  }
};

TEST_F(StoreDamageTest, ATruncatedFileIsRefused) {
  Fill(/*clean=*/false);
  std::filesystem::resize_file(dir_.file(), std::filesystem::file_size(dir_.file()) / 2);
  ExpectRefused();
}

TEST_F(StoreDamageTest, OverwrittenPagesAreFoundAfterAnUncleanStop) {
  Fill(/*clean=*/false);
  {
    std::fstream file(dir_.file(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(std::filesystem::file_size(dir_.file()) / 2 / 4096) *
               4096);
    file << std::string(4096, '\x5a');
  }
  ExpectRefused();
}

TEST_F(StoreDamageTest, ATornLogEndsAtItsLastWholeCommit) {
  Reload();
  store_->PutProcess(EntryOf("A"));
  ASSERT_TRUE(store_->Commit().ok());
  // The files as they are now, with half a page more in the log: what a power loss may leave.
  TempDir copy;
  for (const char* name : {"shoal.db", "shoal.db-wal"}) {
    std::filesystem::copy_file(dir_.path() + "/" + name, copy.path() + "/" + name);
  }
  std::ofstream(copy.file() + "-wal", std::ios::app | std::ios::binary) << std::string(2000, 'x');
  auto opened = SqliteStore::Open(copy.path(), "0.2.0", absl::Hours(24));
  ASSERT_TRUE(opened.ok()) << opened.status();
  auto content = (*opened)->Load();
  ASSERT_TRUE(content.ok()) << content.status();
  EXPECT_THAT(content->processes, SizeIs(1));
}

TEST_F(StoreTest, ACleanStopIsMarkedAndTheFirstCommitTakesTheMarkAway) {
  Reload();
  store_->PutProcess(EntryOf("A"));
  ASSERT_TRUE(store_->Commit().ok());
  auto mark = [this] {
    return *(*Database::Open(dir_.file()))->Query("SELECT value FROM meta WHERE key='clean'");
  };
  EXPECT_EQ(mark(), "0");
  store_.reset();
  EXPECT_EQ(mark(), "1");
}

// SQLite's bytes of the shared lock that each connection holds in WAL mode: without it another
// program that opens and closes the file takes itself for the last user and removes the log.
TEST_F(StoreTest, OtherProgramsSeeThatTheDatabaseIsInUse) {
  constexpr off_t kSharedFirst = 0x40000002;
  constexpr off_t kSharedSize = 510;
  Reload();
  const pid_t other = fork();  // locks are not inherited
  if (other == 0) {
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = kSharedFirst;
    lock.l_len = kSharedSize;
    const int fd = open(dir_.file().c_str(), O_RDWR | O_CLOEXEC);
    _exit(fd < 0 || fcntl(fd, F_GETLK, &lock) != 0 ? 2 : lock.l_type == F_UNLCK ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(other, &status, 0), other);
  EXPECT_EQ(WEXITSTATUS(status), 0) << "1: no lock is held";
}

TEST_F(StoreTest, AMissingStateDirectoryIsNamed) {
  auto opened = SqliteStore::Open("/nonexistent/shoal", "0.2.0", absl::Hours(24));
  EXPECT_EQ(opened.status().message(),
            "open database /nonexistent/shoal/shoal.db: No such file or directory");
}

}  // namespace
}  // namespace shoal::agent
