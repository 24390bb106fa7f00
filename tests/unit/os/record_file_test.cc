#include "agent/os/record_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>
#include <thread>

#include "tests/unit/os/scratch.h"

namespace shoal::agent {
namespace {

record::AgentHalf HalfOf(const std::string& id) {
  record::AgentHalf half{};
  std::memcpy(half.prefix.id, id.data(), record::kIdBytes);
  return half;
}

constexpr char kId[] = "ABCDEFGHIJKLMNOP";

record::ShimHalf ShimOf(const std::string& id) {
  record::ShimHalf half{};
  record::SetFormat(&half);
  std::memcpy(half.prefix.id, id.data(), record::kIdBytes);
  const BootIdBytes boot = *ParseBootId(kBootId);
  std::copy(boot.begin(), boot.end(), half.prefix.boot_id);
  return half;
}

void Reseal(record::Area<record::AgentHalf>* area, size_t size) {
  const uint32_t checksum = record::HalfChecksum(area->bytes, size);
  std::memcpy(area->bytes + offsetof(record::Prefix, checksum), &checksum, sizeof(checksum));
}

class RecordFileTest : public ::testing::Test {
 protected:
  std::unique_ptr<RecordFile> Open(const std::string& boot_id = kBootId,
                                   const RecordFile::Format& format = {}) {
    auto file = RecordFile::Open(scratch_.path(), boot_id, format);
    EXPECT_TRUE(file.ok()) << file.status();
    if (!file.ok()) return nullptr;
    (*file)->FindFreeSlots();
    return *std::move(file);
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
  void PutShim(int slot, record::ShimHalf half) {
    record::Area<record::ShimHalf> area{};
    const size_t size = record::Pack(&half, &area);
    Poke(slot, record::kShimHalfOffset, &area, size);
  }
  template <typename Half>
  record::Area<Half> Peek(int slot) {
    record::Area<Half> area{};
    const int fd = open((scratch_ / "records").c_str(), O_RDONLY | O_CLOEXEC);
    EXPECT_GT(
        pread(fd, &area, sizeof(area),
              static_cast<off_t>(slot * record::kSlotBytes + record::FormatOf<Half>::kOffset)),
        0);
    close(fd);
    return area;
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
  auto second = RecordFile::Open(scratch_.path(), kBootId, {});
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(second.status().message().find("in use by another agent"), std::string::npos);
}

TEST_F(RecordFileTest, AgentLockGoesWithItsHolder) {
  Open().reset();
  EXPECT_NE(Open(), nullptr);
}

TEST_F(RecordFileTest, BootIdThatIsNoneIsRefused) {
  EXPECT_EQ(RecordFile::Open(scratch_.path(), "not-a-boot", {}).status().code(),
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
  EXPECT_EQ(halves.agent->prefix.sequence, 1u);
  EXPECT_EQ(halves.Id(), kId);
  EXPECT_FALSE(halves.shim.has_value());
  EXPECT_FALSE(halves.damaged);
  ASSERT_TRUE(file->Write(taken.slot, *halves.agent).ok());
  EXPECT_EQ(file->Read(taken.slot).agent->prefix.sequence, 2u);
}

TEST_F(RecordFileTest, FlippedBitIsDamageAndTheOtherHalfStillTellsTheId) {
  auto file = Open();
  const int slot = Take(file.get()).slot;
  ASSERT_TRUE(file->Write(slot, HalfOf(kId)).ok());
  PutShim(slot, ShimOf(kId));
  const char flipped = 'X';
  Poke(slot, offsetof(record::AgentHalf, cap_bytes), &flipped, 1);
  RecordFile::Halves halves = file->Read(slot);
  EXPECT_TRUE(halves.damaged);
  EXPECT_FALSE(halves.agent.has_value());
  EXPECT_EQ(halves.Id(), kId);
}

// Of the next version, which says that this one can read it: longer, and what is new is not lost.
TEST_F(RecordFileTest, ANewerHalfThatAllowsItIsReadAndChangedInItsOwnFormat) {
  constexpr uint32_t kSize = sizeof(record::AgentHalf) + 16;
  auto file = Open(kBootId, {record::kRecordVersion + 1, kSize, record::kOldestReader});
  const int slot = Take(file.get()).slot;
  record::AgentHalf half = HalfOf(kId);
  half.cap_bytes = 77;
  ASSERT_TRUE(file->Write(slot, half).ok());
  record::Area<record::AgentHalf> area = Peek<record::AgentHalf>(slot);
  std::memcpy(area.bytes + sizeof(record::AgentHalf), "what is appended", 16);
  Reseal(&area, kSize);
  Poke(slot, 0, &area, sizeof(area));

  file.reset();
  file = Open();
  const RecordFile::Halves halves = file->Read(slot);
  ASSERT_TRUE(halves.agent.has_value());
  EXPECT_EQ(halves.agent->cap_bytes, 77);
  ASSERT_TRUE(file->Change(slot, kId, [](record::AgentHalf& told) { told.grace_ns = 5; }).ok());
  area = Peek<record::AgentHalf>(slot);
  record::Prefix prefix;
  std::memcpy(&prefix, area.bytes, sizeof(prefix));
  EXPECT_EQ(prefix.version, record::kRecordVersion + 1);
  EXPECT_EQ(prefix.size, kSize);
  EXPECT_EQ(prefix.sequence, 2u);
  EXPECT_EQ(std::string(reinterpret_cast<char*>(area.bytes) + sizeof(record::AgentHalf), 16),
            "what is appended");
  EXPECT_EQ(file->Read(slot).agent->grace_ns, 5);
}

// A version before that had fewer fields: those that it lacks are zero, and stay away.
TEST_F(RecordFileTest, AShorterHalfReadsAsZerosBehindItsEnd) {
  constexpr uint32_t kSize = offsetof(record::AgentHalf, nofile_soft);
  auto file = Open(kBootId, {record::kRecordVersion, kSize, record::kOldestReader});
  const int slot = Take(file.get()).slot;
  record::AgentHalf half = HalfOf(kId);
  half.nofile_soft = 1024;
  ASSERT_TRUE(file->Write(slot, half).ok());
  ASSERT_TRUE(file->Change(slot, kId,
                           [](record::AgentHalf& told) {
                             told.nofile_soft = 7;
                             told.grace_ns = 5;
                           })
                  .ok());
  EXPECT_EQ(file->Read(slot).agent->nofile_soft, 0u);
  EXPECT_EQ(file->Read(slot).agent->grace_ns, 5);
  EXPECT_EQ(file->Read(slot).agent->prefix.size, kSize);
}

// What an agent and a shim of 0.1 wrote, byte by byte.
TEST_F(RecordFileTest, HalvesOfVersion2AreReadAndChangedAsSuch) {
  const BootIdBytes boot = *ParseBootId(kBootId);
  auto file = Open();
  const int slot = Take(file.get()).slot;
  unsigned char agent[168] = {};
  const uint32_t head[] = {record::kRecordMagic, 2, 0, 1};
  std::memcpy(agent, head, sizeof(head));
  std::memcpy(agent + 16, kId, record::kIdBytes);
  std::memcpy(agent + 32, boot.data(), boot.size());
  agent[48] = record::kDropOldest;
  const int64_t grace = 5'000'000'000;
  std::memcpy(agent + 72, &grace, sizeof(grace));
  const uint32_t agent_sum = record::ChecksumOf(agent, sizeof(agent));
  std::memcpy(agent + 8, &agent_sum, sizeof(agent_sum));
  Poke(slot, 0, agent, sizeof(agent));
  unsigned char shim[264] = {};
  std::memcpy(shim, head, sizeof(head));
  std::memcpy(shim + 16, kId, record::kIdBytes);
  shim[32] = record::kStarted;
  const int32_t pid = 4711;
  std::memcpy(shim + 48, &pid, sizeof(pid));
  const uint32_t shim_sum = record::ChecksumOf(shim, sizeof(shim));
  std::memcpy(shim + 8, &shim_sum, sizeof(shim_sum));
  Poke(slot, record::kShimHalfOffset, shim, sizeof(shim));

  const RecordFile::Halves halves = file->Read(slot);
  ASSERT_TRUE(halves.agent && halves.shim);
  EXPECT_EQ(halves.Id(), kId);
  EXPECT_EQ(halves.agent->flags, record::kDropOldest);
  EXPECT_EQ(halves.agent->grace_ns, grace);
  EXPECT_EQ(halves.shim->flags, record::kStarted);
  EXPECT_EQ(halves.shim->pid, pid);
  ASSERT_TRUE(
      file->Change(slot, kId, [](record::AgentHalf& told) { told.terminate_serial = 9; }).ok());
  const record::Area<record::AgentHalf> area = Peek<record::AgentHalf>(slot);
  uint32_t word = 0;
  std::memcpy(&word, area.bytes + 4, sizeof(word));
  EXPECT_EQ(word, 2u);
  std::memcpy(&word, area.bytes + 52, sizeof(word));
  EXPECT_EQ(word, 9u) << "terminate_serial, where 0.1 has it";
  unsigned char copy[168];
  std::memcpy(copy, area.bytes, sizeof(copy));
  std::memcpy(&word, copy + 8, sizeof(word));
  std::memset(copy + 8, 0, sizeof(word));
  EXPECT_EQ(record::ChecksumOf(copy, sizeof(copy)), word);
}

TEST_F(RecordFileTest, ASlotThatCannotBeReadIsKnownByItsPrefixAndNeverGivenOut) {
  auto file = Open(kBootId, {9, sizeof(record::AgentHalf), 9});
  const int slot = Take(file.get()).slot;
  ASSERT_TRUE(file->Write(slot, HalfOf(kId)).ok());
  file.reset();
  file = Open();
  const RecordFile::Halves halves = file->Read(slot);
  EXPECT_FALSE(halves.agent.has_value());
  EXPECT_FALSE(halves.damaged);
  ASSERT_TRUE(halves.unreadable.has_value());
  EXPECT_EQ(halves.unreadable->version, 9u);
  EXPECT_EQ(halves.Id(), kId);
  EXPECT_NE(Take(file.get()).slot, slot);
  EXPECT_EQ(file->Change(slot, kId, [](record::AgentHalf&) {}).code(), absl::StatusCode::kNotFound);
}

TEST_F(RecordFileTest, AnUnreadableShimHalfOfAnEarlierUserDoesNotCount) {
  auto file = Open();
  const int slot = Take(file.get()).slot;
  record::ShimHalf left = ShimOf("ANEARLIERPROCESS");
  left.prefix.version = left.prefix.oldest_reader = 9;
  PutShim(slot, left);
  ASSERT_TRUE(file->Write(slot, HalfOf(kId)).ok());
  EXPECT_FALSE(file->Read(slot).unreadable.has_value());
  PutShim(slot, [] {
    record::ShimHalf own = ShimOf(kId);
    own.prefix.version = own.prefix.oldest_reader = 9;
    return own;
  }());
  EXPECT_TRUE(file->Read(slot).unreadable.has_value());
}

// The header follows the same rules, and the cgroup base survives a change of version either way.
TEST_F(RecordFileTest, TheHeaderOfAnotherVersionKeepsSlotsAndCgroupBase) {
  const RecordFile::Format others[] = {
      {record::kVersion2, 0, record::kVersion2},
      {record::kRecordVersion + 1, sizeof(record::AgentHalf) + 16, record::kOldestReader},
      {9, sizeof(record::AgentHalf), 9}};
  for (const RecordFile::Format& other : others) {
    auto file = Open(kBootId, other);
    const int slot = Take(file.get()).slot;
    ASSERT_TRUE(file->Write(slot, HalfOf(kId)).ok());
    ASSERT_TRUE(file->SetCgroupBase("/sys/fs/cgroup/x").ok());
    file.reset();
    file = Open();
    EXPECT_FALSE(file->is_new());
    EXPECT_EQ(file->cgroup_base(), "/sys/fs/cgroup/x");
    EXPECT_EQ(file->Read(slot).Id(), kId);
    file.reset();
    file = Open(kOtherBootId);
    EXPECT_TRUE(file->is_new()) << "also what cannot be read tells its boot";
    EXPECT_EQ(file->cgroup_base(), "");
  }
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
  Poke(0, offsetof(record::Prefix, checksum), "????", 4);
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
    record::ShimHalf shim = ShimOf(kId);
    record::Area<record::ShimHalf> area{};
    while (!stop) {
      shim.streams[1].end = ++shim.streams[0].end;
      const size_t size = record::Pack(&shim, &area);
      if (pwrite(fd, &area, size,
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
