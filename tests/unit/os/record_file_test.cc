#include "agent/os/record_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <set>
#include <thread>

#include "tests/unit/os/scratch.h"

namespace shoal::agent {
namespace {

record::AgentHalf HalfOf(const std::string& id) {
  record::AgentHalf half{};
  std::memcpy(half.id, id.data(), record::kIdBytes);
  return half;
}

constexpr char kId[] = "ABCDEFGHIJKLMNOP";

class RecordFileTest : public ::testing::Test {
 protected:
  std::unique_ptr<RecordFile> Open(const std::string& boot_id = kBootId) {
    auto file = RecordFile::Open(scratch_.path(), boot_id);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? *std::move(file) : nullptr;
  }
  RecordFile::TakenSlot Take(RecordFile* file) {
    auto taken = file->Take();
    EXPECT_TRUE(taken.ok()) << taken.status();
    return *std::move(taken);
  }
  void Poke(int slot, size_t offset, const void* bytes, size_t size) {
    const int fd = open((scratch_ / "records").c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_EQ(pwrite(fd, bytes, size, static_cast<off_t>(slot * record::kSlotBytes + offset)),
              static_cast<ssize_t>(size));
    close(fd);
  }

  ScratchDirectory scratch_;
};

TEST_F(RecordFileTest, FileIsForItsUserAlone) {
  auto file = Open();
  struct stat facts {};
  ASSERT_EQ(stat((scratch_ / "records").c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600u);
}

TEST_F(RecordFileTest, SecondAgentIsRefused) {
  auto file = Open();
  auto second = RecordFile::Open(scratch_.path(), kBootId);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(second.status().message().find("in use by another agent"), std::string::npos);
}

TEST_F(RecordFileTest, AgentLockGoesWithItsHolder) {
  Open().reset();
  EXPECT_NE(Open(), nullptr);
}

TEST_F(RecordFileTest, BootIdThatIsNoneIsRefused) {
  EXPECT_EQ(RecordFile::Open(scratch_.path(), "not-a-boot").status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(ParseBootId("0b5f7e9a-1c2d-4e3f-8a9b-00010203040g").ok());
}

TEST_F(RecordFileTest, SlotIsLockedAsLongAsADuplicateIsOpen) {
  auto file = Open();
  RecordFile::TakenSlot taken = Take(file.get());
  UniqueFd shims(fcntl(taken.fd.get(), F_DUPFD_CLOEXEC, 20));
  EXPECT_TRUE(file->IsLocked(taken.slot));
  taken.fd.Reset();
  EXPECT_TRUE(file->IsLocked(taken.slot));
  shims.Reset();
  EXPECT_FALSE(file->IsLocked(taken.slot));
}

TEST_F(RecordFileTest, HalfIsReadAsWritten) {
  auto file = Open();
  RecordFile::TakenSlot taken = Take(file.get());
  record::AgentHalf half = HalfOf(kId);
  half.cap_bytes = 12345;
  ASSERT_TRUE(file->Write(taken.slot, half).ok());
  RecordFile::Halves halves = file->Read(taken.slot);
  ASSERT_TRUE(halves.agent.has_value());
  EXPECT_EQ(halves.agent->cap_bytes, 12345);
  EXPECT_EQ(halves.agent->sequence, 1u);
  EXPECT_EQ(halves.Id(), kId);
  EXPECT_FALSE(halves.shim.has_value());
  EXPECT_FALSE(halves.damaged);
  ASSERT_TRUE(file->Write(taken.slot, *halves.agent).ok());
  EXPECT_EQ(file->Read(taken.slot).agent->sequence, 2u);
}

TEST_F(RecordFileTest, FlippedBitIsDamageAndTheOtherHalfStillTellsTheId) {
  auto file = Open();
  const int slot = Take(file.get()).slot;
  ASSERT_TRUE(file->Write(slot, HalfOf(kId)).ok());
  record::ShimHalf shim{};
  std::memcpy(shim.id, kId, record::kIdBytes);
  record::SealHalf(&shim);
  Poke(slot, record::kShimHalfOffset, &shim, sizeof(shim));
  const char flipped = 'X';
  Poke(slot, offsetof(record::AgentHalf, cap_bytes), &flipped, 1);
  RecordFile::Halves halves = file->Read(slot);
  EXPECT_TRUE(halves.damaged);
  EXPECT_FALSE(halves.agent.has_value());
  EXPECT_EQ(halves.Id(), kId);
}

TEST_F(RecordFileTest, SlotOfAnotherVersionIsNeitherUsedNorGivenOut) {
  auto file = Open();
  const int slot = Take(file.get()).slot;
  ASSERT_TRUE(file->Write(slot, HalfOf(kId)).ok());
  const uint32_t version = record::kRecordVersion + 1;
  Poke(slot, offsetof(record::AgentHalf, version), &version, sizeof(version));
  file.reset();
  file = Open();
  EXPECT_TRUE(file->Read(slot).other_version);
  EXPECT_FALSE(file->Read(slot).agent.has_value());
  EXPECT_NE(Take(file.get()).slot, slot);
}

TEST_F(RecordFileTest, FileOfAnotherBootIsEmptied) {
  auto file = Open();
  EXPECT_TRUE(file->is_new());
  const int slot = Take(file.get()).slot;
  ASSERT_TRUE(file->Write(slot, HalfOf(kId)).ok());
  ASSERT_TRUE(file->SetCgroupBase("/sys/fs/cgroup/x").ok());
  file.reset();
  file = Open();
  EXPECT_FALSE(file->is_new());
  EXPECT_EQ(file->slot_count(), slot);
  EXPECT_EQ(file->cgroup_base(), "/sys/fs/cgroup/x");
  file.reset();
  file = Open(kOtherBootId);
  EXPECT_TRUE(file->is_new());
  EXPECT_EQ(file->slot_count(), 0);
  EXPECT_EQ(file->cgroup_base(), "");
}

TEST_F(RecordFileTest, DamagedHeaderCostsNoSlot) {
  auto file = Open();
  const int slot = Take(file.get()).slot;
  ASSERT_TRUE(file->Write(slot, HalfOf(kId)).ok());
  file.reset();
  Poke(0, offsetof(record::AgentHalf, checksum), "????", 4);
  file = Open();
  EXPECT_FALSE(file->is_new());
  EXPECT_EQ(file->Read(slot).Id(), kId);
}

TEST_F(RecordFileTest, ClearedSlotIsGivenOutAgainUnlessItIsStillLocked) {
  auto file = Open();
  RecordFile::TakenSlot ending = Take(file.get());
  const int ended = Take(file.get()).slot;
  file->Clear(ending.slot);  // Its shim has written its last word but holds the lock.
  file->Clear(ended);
  EXPECT_EQ(Take(file.get()).slot, ended);
  EXPECT_EQ(Take(file.get()).slot, 3);
  ending.fd.Reset();
  EXPECT_EQ(Take(file.get()).slot, 1);
}

TEST_F(RecordFileTest, UnusedSlotsAreFreeAfterARestart) {
  auto file = Open();
  std::set<int> slots;
  for (int i = 0; i < 3; ++i) slots.insert(Take(file.get()).slot);
  ASSERT_TRUE(file->Write(2, HalfOf(kId)).ok());
  ASSERT_TRUE(file->Write(3, HalfOf(kId)).ok());
  file.reset();
  file = Open();
  EXPECT_EQ(Take(file.get()).slot, 1);
  EXPECT_EQ(Take(file.get()).slot, 4);
}

TEST_F(RecordFileTest, WorksOnWithoutItsDirectory) {
  auto file = Open();
  ASSERT_EQ(unlink((scratch_ / "records").c_str()), 0);
  RecordFile::TakenSlot taken = Take(file.get());
  EXPECT_TRUE(file->IsLocked(taken.slot));
  EXPECT_TRUE(file->Write(taken.slot, HalfOf(kId)).ok());
  EXPECT_EQ(file->Read(taken.slot).Id(), kId);
}

TEST_F(RecordFileTest, HalfIsNeverTornForAReaderWhileItIsWritten) {
  auto file = Open();
  const int slot = Take(file.get()).slot;
  ASSERT_TRUE(file->Write(slot, HalfOf(kId)).ok());
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    const int fd = open((scratch_ / "records").c_str(), O_RDWR | O_CLOEXEC);
    record::ShimHalf shim{};
    std::memcpy(shim.id, kId, record::kIdBytes);
    while (!stop) {
      shim.streams[1].end = ++shim.streams[0].end;
      record::SealHalf(&shim);
      if (pwrite(fd, &shim, sizeof(shim),
                 static_cast<off_t>(slot * record::kSlotBytes + record::kShimHalfOffset)) < 0) {
        break;
      }
    }
    close(fd);
  });
  int damaged = 0;
  for (int i = 0; i < 100'000; ++i) damaged += file->Read(slot).damaged ? 1 : 0;
  stop = true;
  writer.join();
  EXPECT_EQ(damaged, 0);
}

}  // namespace
}  // namespace shoal::agent
