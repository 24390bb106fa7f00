#include "agent/os/record_file.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "agent/os/descriptor.h"
#include "agent/os/lock_file.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

using record::AgentHalf;
using record::ShimHalf;

// A half is copied by the kernel in well under a microsecond, so a torn one is whole at the next
// look unless its writer was preempted; hence the yields.
constexpr int kMaxReads = 20;
constexpr int kReadsBeforeYield = 3;

constexpr char kHeaderId[record::kIdBytes + 1] = "SHOALRECORDFILE.";
// In slot 0, where other slots have the shim's half.
constexpr size_t kBaseOffset = record::kShimHalfOffset;
constexpr size_t kBaseBytes = record::kSlotBytes - kBaseOffset;

off_t OffsetOf(int slot) {
  return static_cast<off_t>(slot) * static_cast<off_t>(record::kSlotBytes);
}

struct flock LockOf(int slot) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = OffsetOf(slot);
  lock.l_len = record::kSlotBytes;
  return lock;
}

bool TryLock(int fd, int slot) {
  struct flock lock = LockOf(slot);
  return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

enum class Content { kEmpty, kIntact, kOtherVersion, kDamaged };

template <typename Half>
Content ContentOf(const Half& half) {
  if (record::IsIntact(half)) return Content::kIntact;
  if (half.magic == record::kRecordMagic && half.version != record::kRecordVersion &&
      half.version != 0) {
    return Content::kOtherVersion;
  }
  static constexpr Half kZero{};
  return std::memcmp(&half, &kZero, sizeof(half)) == 0 ? Content::kEmpty : Content::kDamaged;
}

}  // namespace

absl::StatusOr<BootIdBytes> ParseBootId(absl::string_view text) {
  const std::string digits = absl::StrReplaceAll(text, {{"-", ""}});
  BootIdBytes bytes{};
  const bool is_hex = std::all_of(digits.begin(), digits.end(), absl::ascii_isxdigit);
  if (digits.size() != 2 * bytes.size() || !is_hex) {
    return absl::InvalidArgumentError(absl::StrCat("boot id \"", text, "\" is not a UUID"));
  }
  const std::string raw = absl::HexStringToBytes(digits);
  std::copy(raw.begin(), raw.end(), bytes.begin());
  return bytes;
}

std::string RecordFile::Halves::Id() const {
  if (agent) return std::string(agent->id, record::kIdBytes);
  if (shim) return std::string(shim->id, record::kIdBytes);
  return {};
}

RecordFile::RecordFile(UniqueFd fd, std::string path, BootIdBytes boot_id)
    : fd_(std::move(fd)), path_(std::move(path)), boot_id_(boot_id) {}

absl::StatusOr<std::unique_ptr<RecordFile>> RecordFile::Open(const std::string& run_dir,
                                                             const std::string& boot_id) {
  SHOAL_ASSIGN_OR_RETURN(const BootIdBytes boot, ParseBootId(boot_id));
  const std::string path = absl::StrCat(run_dir, "/records");
  SHOAL_ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  struct stat facts {};
  if (fstat(fd.get(), &facts) != 0) return ErrnoStatus(errno, absl::StrCat("stat ", path));
  if (!S_ISREG(facts.st_mode) || facts.st_uid != geteuid()) {
    return absl::FailedPreconditionError(
        absl::StrCat("record file ", path, " is not a regular file of uid ", geteuid()));
  }
  if (!TakeAgentLock(fd.get(), LockOf(0))) {
    return absl::FailedPreconditionError(
        absl::StrCat("run directory ", run_dir, " is in use by another agent"));
  }
  auto file = absl::WrapUnique(new RecordFile(std::move(fd), path, boot));
  SHOAL_RETURN_IF_ERROR(file->PrepareHeader());
  file->FindFreeSlots();
  return file;
}

absl::Status RecordFile::PrepareHeader() {
  AgentHalf header{};
  const ssize_t got = pread(fd_.get(), &header, sizeof(header), 0);
  const bool intact = got == sizeof(header) && record::IsIntact(header);
  if (intact && std::equal(boot_id_.begin(), boot_id_.end(), header.boot_id)) {
    return absl::OkStatus();
  }
  // Another boot: nothing in the file is alive. A header of another version or a damaged one is
  // replaced alone, since each slot tells its version and boot itself.
  if (intact && ftruncate(fd_.get(), 0) != 0) {
    return ErrnoStatus(errno, absl::StrCat("truncate ", path_));
  }
  is_new_ = intact || got <= 0;
  AgentHalf fresh{};
  std::memcpy(fresh.id, kHeaderId, sizeof(fresh.id));
  SHOAL_RETURN_IF_ERROR(Write(0, fresh));
  return SetCgroupBase("");
}

void RecordFile::FindFreeSlots() {
  struct stat facts {};
  if (fstat(fd_.get(), &facts) != 0) return;
  const auto size = static_cast<size_t>(facts.st_size);
  slot_count_ =
      std::max<int>(1, static_cast<int>((size + record::kSlotBytes - 1) / record::kSlotBytes)) - 1;
  for (int slot = 1; slot <= slot_count_; ++slot) {
    if (Read(slot).IsFree()) free_.push_back(slot);
  }
}

// By its number, since the path may be gone while the agent lives; by the path where there is no
// /proc.
absl::StatusOr<UniqueFd> RecordFile::OpenAnew() const {
  absl::StatusOr<UniqueFd> fd = OpenAt(AT_FDCWD, absl::StrCat("/proc/self/fd/", fd_.get()), O_RDWR);
  if (fd.ok() || !absl::IsNotFound(fd.status())) return fd;
  return OpenAt(AT_FDCWD, path_, O_RDWR | O_NOFOLLOW);
}

absl::StatusOr<RecordFile::TakenSlot> RecordFile::Take() {
  SHOAL_ASSIGN_OR_RETURN(UniqueFd fd, OpenAnew());
  for (size_t tries = free_.size(); tries > 0; --tries) {
    const int slot = free_.front();
    free_.pop_front();
    if (TryLock(fd.get(), slot)) return TakenSlot{slot, std::move(fd)};
    free_.push_back(slot);  // Its last shim has written its last word but not ended yet.
  }
  const int slot = slot_count_ + 1;
  if (!TryLock(fd.get(), slot)) {
    return ErrnoStatus(errno, absl::StrCat("lock slot ", slot, " of ", path_));
  }
  slot_count_ = slot;
  return TakenSlot{slot, std::move(fd)};
}

absl::Status RecordFile::Write(int slot, AgentHalf half) {
  std::copy(boot_id_.begin(), boot_id_.end(), half.boot_id);
  record::SealHalf(&half);
  const ssize_t put = pwrite(fd_.get(), &half, sizeof(half), OffsetOf(slot));
  if (put == sizeof(half)) return absl::OkStatus();
  return ErrnoStatus(put < 0 ? errno : ENOSPC, absl::StrCat("write slot ", slot, " of ", path_));
}

RecordFile::Halves RecordFile::Read(int slot) const {
  record::Slot bytes;
  Content agent = Content::kEmpty;
  Content shim = Content::kEmpty;
  for (int reads = 0; reads < kMaxReads; ++reads) {
    if (reads >= kReadsBeforeYield) sched_yield();
    std::memset(&bytes, 0, sizeof(bytes));
    if (pread(fd_.get(), &bytes, sizeof(bytes), OffsetOf(slot)) < 0) continue;
    agent = ContentOf(bytes.agent);
    shim = ContentOf(bytes.shim);
    if (agent != Content::kDamaged && shim != Content::kDamaged) break;
  }
  Halves halves;
  const bool this_boot = std::equal(boot_id_.begin(), boot_id_.end(), bytes.agent.boot_id);
  if (agent == Content::kIntact && !this_boot) return halves;
  if (agent == Content::kIntact) halves.agent = bytes.agent;
  if (shim == Content::kIntact) halves.shim = bytes.shim;
  halves.damaged = agent == Content::kDamaged || shim == Content::kDamaged;
  halves.other_version = agent == Content::kOtherVersion || shim == Content::kOtherVersion;
  return halves;
}

bool RecordFile::IsLocked(int slot) const {
  struct flock lock = LockOf(slot);
  if (fcntl(fd_.get(), F_OFD_GETLK, &lock) != 0) return true;  // Never call a living shim dead.
  return lock.l_type != F_UNLCK;
}

void RecordFile::Clear(int slot) {
  static constexpr char kZero[record::kSlotBytes] = {};
  // Without space the slot keeps its content, and is found and cleared after the next start.
  const ssize_t put = pwrite(fd_.get(), kZero, sizeof(kZero), OffsetOf(slot));
  if (put == sizeof(kZero) || Read(slot).IsFree()) free_.push_back(slot);
}

std::string RecordFile::cgroup_base() const {
  char text[kBaseBytes] = {};
  const ssize_t got = pread(fd_.get(), text, sizeof(text) - 1, kBaseOffset);
  return got > 0 ? std::string(text) : std::string();
}

absl::Status RecordFile::SetCgroupBase(const std::string& path) {
  if (path.size() >= kBaseBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("cgroup base is longer than ", kBaseBytes - 1, " bytes: ", path));
  }
  char text[kBaseBytes] = {};
  std::copy(path.begin(), path.end(), text);
  if (pwrite(fd_.get(), text, sizeof(text), kBaseOffset) != sizeof(text)) {
    return ErrnoStatus(errno, absl::StrCat("write header of ", path_));
  }
  return absl::OkStatus();
}

}  // namespace shoal::agent
