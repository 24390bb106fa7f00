#include "agent/os/records.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/unit/os/scratch.h"

namespace shoal::agent {
namespace {

using ::testing::HasSubstr;

constexpr int kLong = 300;  // slots of a file of an earlier agent, its header with them

std::string IdOf(int slot) { return absl::StrFormat("PROCESS%09d", slot); }

record::AgentHalf HalfOf(int slot) {
  record::AgentHalf half{};
  std::memcpy(half.prefix.id, IdOf(slot).data(), record::kIdBytes);
  return half;
}

struct flock LockOf(int slot) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_start = static_cast<off_t>(slot) * static_cast<off_t>(record::kSlotBytes);
  lock.l_len = record::kSlotBytes;
  return lock;
}

class RecordsTest : public ::testing::Test {
 protected:
  void SetUp() override { OpenRecords(); }

  void OpenRecords(const std::string& boot_id = kBootId) {
    records_.reset();
    auto records = Records::Open(scratch_.path(), boot_id, {});
    ASSERT_TRUE(records.ok()) << records.status();
    records_ = *std::move(records);
  }
  // Takes a slot for a process whose shim is this test; its lock is held until it is dropped.
  int Use() {
    absl::StatusOr<RecordFile::TakenSlot> taken = records_->Take();
    EXPECT_TRUE(taken.ok()) << taken.status();
    if (!taken.ok()) return 0;
    const int slot = taken->slot;
    EXPECT_TRUE(records_->Write(slot, HalfOf(slot)).ok());
    shims_[slot] = std::move(taken->fd);
    return slot;
  }
  void End(int slot) {
    shims_.erase(slot);
    records_->Clear(slot);
  }
  std::string File(int index) const { return RecordFile::PathOf(scratch_.path(), index); }
  bool Exists(int index) const { return std::filesystem::exists(File(index)); }
  UniqueFd Look(int index) const { return UniqueFd(open(File(index).c_str(), O_RDWR | O_CLOEXEC)); }
  bool IsLocked(int index, int slot) const {
    const UniqueFd fd = Look(index);
    struct flock lock = LockOf(slot);
    return fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
  }
  // As an agent that knew of one file alone left it: slot 1 and the last are in use.
  void MakeLongFile() {
    const int first = Use();
    records_.reset();
    std::filesystem::resize_file(File(0), kLong * record::kSlotBytes);
    const UniqueFd file = Look(0);
    record::Area<record::AgentHalf> area{};
    ASSERT_GT(pread(file.get(), &area, sizeof(area), LockOf(first).l_start), 0);
    ASSERT_GT(pwrite(file.get(), &area, sizeof(area), LockOf(kLong - 1).l_start), 0);
    UniqueFd last = Look(0);
    struct flock lock = LockOf(kLong - 1);
    ASSERT_EQ(fcntl(last.get(), F_OFD_SETLK, &lock), 0);
    shims_[kLong - 1] = std::move(last);
    OpenRecords();
  }

  ScratchDirectory scratch_;
  std::unique_ptr<Records> records_;
  std::map<int, UniqueFd> shims_;  // by slot
};

TEST_F(RecordsTest, EachFileHasItsShareOfSlotsEachAtItsNumber) {
  for (int slot = 1; slot <= 2 * kSlotsPerFile; ++slot) ASSERT_EQ(Use(), slot);
  EXPECT_TRUE(Exists(2));
  EXPECT_FALSE(Exists(3));
  for (const int slot : {1, 127, 128, 255, 256}) {
    const int index = slot / kSlotsPerFile;
    char id[record::kIdBytes];
    const off_t at = LockOf(slot).l_start + static_cast<off_t>(offsetof(record::Prefix, id));
    ASSERT_EQ(pread(Look(index).get(), id, sizeof(id), at), static_cast<ssize_t>(sizeof(id)));
    EXPECT_EQ(std::string(id, sizeof(id)), IdOf(slot));
    EXPECT_EQ(records_->Read(slot).Id(), IdOf(slot));
    for (int other = 0; other < 3; ++other) EXPECT_EQ(IsLocked(other, slot), other == index);
    EXPECT_TRUE(records_->IsLocked(slot));
    shims_.erase(slot);
    EXPECT_FALSE(records_->IsLocked(slot));
  }
  EXPECT_EQ(records_->slot_count(), 256);
}

TEST_F(RecordsTest, ANumberWithoutAFileIsAFreeSlot) {
  for (const int slot : {-1, 0, 128, 1'000'000'000}) {
    EXPECT_TRUE(records_->Read(slot).IsFree());
    EXPECT_FALSE(records_->IsLocked(slot));
    EXPECT_FALSE(records_->Write(slot, HalfOf(1)).ok());
    records_->Clear(slot);
  }
}

TEST_F(RecordsTest, TheAgentLockOfEveryFileIsHeldWhileTheAgentLives) {
  for (int slot = 1; slot <= 2 * kSlotsPerFile; ++slot) Use();
  for (int index = 0; index < 3; ++index) EXPECT_TRUE(IsLocked(index, 0));
  OpenRecords();
  for (int index = 0; index < 3; ++index) EXPECT_TRUE(IsLocked(index, 0));
  records_.reset();
  for (int index = 0; index < 3; ++index) EXPECT_FALSE(IsLocked(index, 0));
}

TEST_F(RecordsTest, AnAgentThatHasTheLockOfOneFileKeepsOthersAway) {
  for (int slot = 1; slot <= kSlotsPerFile; ++slot) Use();
  records_.reset();
  const UniqueFd other = Look(1);
  struct flock lock = LockOf(0);
  ASSERT_EQ(fcntl(other.get(), F_OFD_SETLK, &lock), 0);
  const absl::Status refused = Records::Open(scratch_.path(), kBootId, {}).status();
  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("in use by another agent"));
}

TEST_F(RecordsTest, WhatIsInUseIsFoundInEveryFileAfterAKill) {
  for (int slot = 1; slot <= 2 * kSlotsPerFile; ++slot) Use();
  End(130);
  OpenRecords();
  EXPECT_FALSE(records_->is_new());
  EXPECT_EQ(records_->slot_count(), 256);
  for (const int slot : {1, 128, 256}) EXPECT_EQ(records_->Read(slot).Id(), IdOf(slot));
  EXPECT_EQ(Use(), 130) << "the free slot of the lowest number";
  EXPECT_EQ(Use(), 257);
}

TEST_F(RecordsTest, TheLastFilesGoWhenTheyAreEmptyButForOneInReserve) {
  for (int slot = 1; slot <= 3 * kSlotsPerFile; ++slot) Use();
  ASSERT_TRUE(Exists(3));
  for (int slot = 3 * kSlotsPerFile; slot > kSlotsPerFile; --slot) End(slot);
  EXPECT_FALSE(Exists(3));
  EXPECT_TRUE(Exists(2));
  End(kSlotsPerFile);
  EXPECT_FALSE(Exists(2));
  EXPECT_TRUE(Exists(1));
  for (int slot = 1; slot < kSlotsPerFile; ++slot) End(slot);
  EXPECT_TRUE(Exists(1));
  EXPECT_EQ(Use(), 1);
}

TEST_F(RecordsTest, AnEmptyFileStaysWhileAShimHoldsALockInIt) {
  for (int slot = 1; slot <= 3 * kSlotsPerFile; ++slot) Use();
  const int last = 3 * kSlotsPerFile;
  records_->Clear(last);  // Its shim has written its last word, but not ended yet.
  for (int slot = last - 1; slot >= kSlotsPerFile; --slot) End(slot);
  EXPECT_TRUE(Exists(3));
  shims_.erase(last);
  End(1);
  EXPECT_FALSE(Exists(3));
}

TEST_F(RecordsTest, TheFileOfAnotherIsNotRemoved) {
  for (int slot = 1; slot <= 2 * kSlotsPerFile; ++slot) Use();
  std::filesystem::remove(File(2));
  close(open(File(2).c_str(), O_CREAT | O_CLOEXEC, 0600));
  for (int slot = 2 * kSlotsPerFile; slot >= kSlotsPerFile; --slot) End(slot);
  EXPECT_TRUE(Exists(2));
}

TEST_F(RecordsTest, AFileThatIsGoneIsALossThatIsTold) {
  for (int slot = 1; slot <= 2 * kSlotsPerFile; ++slot) Use();
  records_.reset();
  std::filesystem::remove(File(2));
  OpenRecords();
  EXPECT_TRUE(records_->is_new());
  EXPECT_EQ(records_->Read(128).Id(), IdOf(128));
}

TEST_F(RecordsTest, WithoutTheFirstFileTheOthersAreStillRead) {
  for (int slot = 1; slot <= 2 * kSlotsPerFile; ++slot) Use();
  records_.reset();
  std::filesystem::remove(File(0));
  OpenRecords();
  EXPECT_TRUE(records_->is_new());
  EXPECT_EQ(records_->Read(256).Id(), IdOf(256));
}

// As of an agent that was killed while it added or removed one.
TEST_F(RecordsTest, AFileThatIsNotToldYetIsNoLoss) {
  close(open(File(1).c_str(), O_CREAT | O_CLOEXEC, 0600));
  OpenRecords();
  EXPECT_FALSE(records_->is_new());
  for (int slot = 1; slot <= kSlotsPerFile; ++slot) ASSERT_EQ(Use(), slot);
}

TEST_F(RecordsTest, FilesOfAnotherBootAreEmptiedAndRemoved) {
  for (int slot = 1; slot <= 3 * kSlotsPerFile; ++slot) Use();
  shims_.clear();
  OpenRecords(kOtherBootId);
  EXPECT_TRUE(records_->is_new());
  EXPECT_TRUE(records_->Read(1).IsFree());
  EXPECT_TRUE(records_->Read(128).IsFree());
  EXPECT_FALSE(Exists(2));
  OpenRecords(kOtherBootId);
  EXPECT_FALSE(records_->is_new());
}

TEST_F(RecordsTest, ANameThatIsNoNumberIsNoRecordFile) {
  for (const char* name : {"records.x", "records.-2", "records.0", "records.999999999"}) {
    close(open((scratch_ / name).c_str(), O_CREAT | O_CLOEXEC, 0600));
  }
  OpenRecords();
  EXPECT_EQ(Use(), 1);
  EXPECT_FALSE(Exists(1));
}

TEST_F(RecordsTest, ALongFileOfAnEarlierAgentIsServedAndGetsNoNewSlot) {
  MakeLongFile();
  EXPECT_FALSE(records_->is_new());
  EXPECT_EQ(records_->Read(kLong - 1).Id(), IdOf(1));
  EXPECT_TRUE(records_->IsLocked(kLong - 1));
  EXPECT_EQ(Use(), 3 * kSlotsPerFile) << "slots up to 299 are those of the first file";
  OpenRecords();
  EXPECT_EQ(records_->Read(3 * kSlotsPerFile).Id(), IdOf(3 * kSlotsPerFile));
  EXPECT_EQ(records_->Read(kLong - 1).Id(), IdOf(1));
}

TEST_F(RecordsTest, ALongFileIsEmptiedWhenItsLastLockIsFree) {
  MakeLongFile();
  const int elsewhere = Use();
  End(1);
  records_->Clear(kLong - 1);
  EXPECT_EQ(std::filesystem::file_size(File(0)), kLong * record::kSlotBytes) << "it is locked";
  shims_.erase(kLong - 1);
  const int other = Use();
  End(other);
  EXPECT_EQ(std::filesystem::file_size(File(0)), record::kSlotBytes);
  EXPECT_EQ(records_->Read(elsewhere).Id(), IdOf(elsewhere));
  for (int slot = 1; slot < elsewhere; ++slot) ASSERT_EQ(Use(), slot);
  EXPECT_EQ(Use(), other);
}

}  // namespace
}  // namespace shoal::agent
