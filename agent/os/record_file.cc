#include "agent/os/record_file.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
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
using record::Reading;
using record::ShimHalf;

// A half is copied by the kernel in well under a microsecond, so a torn one is whole at the next
// look unless its writer was preempted; hence the yields.
constexpr int kMaxReads = 20;
constexpr int kReadsBeforeYield = 3;

constexpr size_t kBaseBytes = record::kSlotBytes - record::kCgroupBaseOffset;

bool IsOfBoot(const record::Prefix& prefix, const BootIdBytes& boot_id) {
  return std::equal(boot_id.begin(), boot_id.end(), prefix.boot_id);
}

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

// Of all slots from `slot` on.
struct flock LockFrom(int slot) {
  struct flock lock = LockOf(slot);
  lock.l_len = 0;
  return lock;
}

bool IsLockedByAnother(int fd, struct flock lock) {
  if (fcntl(fd, F_OFD_GETLK, &lock) != 0) return true;  // Never call a living shim dead.
  return lock.l_type != F_UNLCK;
}

bool TryLock(int fd, int slot) {
  struct flock lock = LockOf(slot);
  return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

// The bytes of a slot; what the file does not have reads as zeros.
struct SlotBytes {
  record::Area<AgentHalf> agent;
  record::Area<ShimHalf> shim;
};
static_assert(sizeof(SlotBytes) == record::kSlotBytes);

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
  const record::Prefix* prefix = agent        ? &agent->prefix
                                 : unreadable ? &*unreadable
                                 : shim       ? &shim->prefix
                                              : nullptr;
  return prefix == nullptr ? std::string() : std::string(prefix->id, record::kIdBytes);
}

RecordFile::RecordFile(UniqueFd fd, std::string path, BootIdBytes boot_id, Format format, int index)
    : fd_(std::move(fd)),
      path_(std::move(path)),
      boot_id_(boot_id),
      format_(format),
      first_(std::max(1, index * kSlotsPerFile)),
      limit_((index + 1) * kSlotsPerFile - 1),
      slot_count_(first_ - 1) {}

std::string RecordFile::PathOf(const std::string& run_dir, int index) {
  return index == 0 ? absl::StrCat(run_dir, "/records") : absl::StrCat(run_dir, "/records.", index);
}

absl::StatusOr<std::unique_ptr<RecordFile>> RecordFile::Open(const std::string& run_dir,
                                                             const std::string& boot_id,
                                                             const Format& format, int index) {
  SHOAL_ASSIGN_OR_RETURN(const BootIdBytes boot, ParseBootId(boot_id));
  const std::string path = PathOf(run_dir, index);
  SHOAL_ASSIGN_OR_RETURN(UniqueFd fd, OpenAt(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  struct stat facts {};
  if (fstat(fd.get(), &facts) != 0) return ErrnoStatus(errno, absl::StrCat("stat ", path));
  if (!S_ISREG(facts.st_mode) || facts.st_uid != geteuid()) {
    return absl::FailedPreconditionError(
        absl::StrCat("record file ", path, " is not a regular file of uid ", geteuid()));
  }
  if (!TakeAgentLock(fd.get(), LockOf(0))) {
    return absl::UnavailableError(
        absl::StrCat("run directory ", run_dir, " is in use by another agent"));
  }
  auto file = absl::WrapUnique(new RecordFile(std::move(fd), path, boot, format, index));
  SHOAL_RETURN_IF_ERROR(file->PrepareHeader());
  return file;
}

// A header of a newer version stays as it is: all that counts of it is in the prefix. One of an
// older version or a damaged one is replaced alone, since each slot tells its version and boot
// itself; the cgroup base beside it stays.
absl::Status RecordFile::PrepareHeader() {
  record::Area<AgentHalf> area{};
  AgentHalf header{};
  const ssize_t got = pread(fd_.get(), &area, sizeof(area), 0);
  const Reading reading = record::Unpack(area, &header);
  const bool known = reading == Reading::kIntact || reading == Reading::kPrefixOnly;
  const bool this_boot = known && IsOfBoot(header.prefix, boot_id_);
  if (this_boot && header.prefix.version >= format_.version) return absl::OkStatus();
  // Another boot: nothing in the file is alive.
  if (known && !this_boot && ftruncate(fd_.get(), 0) != 0) {
    return ErrnoStatus(errno, absl::StrCat("truncate ", path_));
  }
  is_new_ = (known && !this_boot) || got <= 0;
  AgentHalf fresh{};
  std::memcpy(fresh.prefix.id, record::kHeaderId, sizeof(fresh.prefix.id));
  SHOAL_RETURN_IF_ERROR(Write(0, fresh));
  return is_new_ ? SetCgroupBase("") : absl::OkStatus();
}

void RecordFile::FindFreeSlots() {
  struct stat facts {};
  if (fstat(fd_.get(), &facts) != 0) return;
  const auto size = static_cast<size_t>(facts.st_size);
  const auto slots = static_cast<int>((size + record::kSlotBytes - 1) / record::kSlotBytes);
  slot_count_ = std::max(first_, slots) - 1;
  for (int slot = first_; slot <= slot_count_; ++slot) {
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
  if (slot > limit_) {
    return absl::OutOfRangeError(absl::StrCat("every slot of ", path_, " is locked"));
  }
  if (!TryLock(fd.get(), slot)) {
    return ErrnoStatus(errno, absl::StrCat("lock slot ", slot, " of ", path_));
  }
  slot_count_ = slot;
  return TakenSlot{slot, std::move(fd)};
}

absl::Status RecordFile::Put(int slot, AgentHalf* half, record::Area<AgentHalf>* area) {
  const size_t size = record::Pack(half, area);
  const ssize_t put = pwrite(fd_.get(), area, size, OffsetOf(slot));
  if (put == static_cast<ssize_t>(size)) return absl::OkStatus();
  return ErrnoStatus(put < 0 ? errno : ENOSPC, absl::StrCat("write slot ", slot, " of ", path_));
}

absl::Status RecordFile::Write(int slot, AgentHalf half) {
  if (format_.version == record::kVersion2) {
    record::SetFormat2(&half);
  } else {
    record::SetFormat(&half);
    half.prefix.version = format_.version;
    half.prefix.size = format_.size;
    half.prefix.oldest_reader = format_.oldest_reader;
  }
  std::copy(boot_id_.begin(), boot_id_.end(), half.prefix.boot_id);
  record::Area<AgentHalf> area{};
  return Put(slot, &half, &area);
}

absl::Status RecordFile::Change(int slot, absl::string_view id,
                                absl::AnyInvocable<void(AgentHalf&) const> change) {
  record::Area<AgentHalf> area{};
  AgentHalf half{};
  Reading reading = Reading::kDamaged;
  // Only this agent writes it, so that it is never torn.
  if (pread(fd_.get(), &area, sizeof(area), OffsetOf(slot)) > 0) {
    reading = record::Unpack(area, &half);
  }
  if (reading != Reading::kIntact || !HasId(half, id)) {
    return absl::NotFoundError(absl::StrCat("slot ", slot, " of ", path_, " is not that of ", id));
  }
  change(half);
  return Put(slot, &half, &area);
}

RecordFile::Halves RecordFile::Read(int slot) const {
  SlotBytes bytes;
  AgentHalf agent_half{};
  ShimHalf shim_half{};
  Reading agent = Reading::kEmpty;
  Reading shim = Reading::kEmpty;
  for (int reads = 0; reads < kMaxReads; ++reads) {
    if (reads >= kReadsBeforeYield) sched_yield();
    std::memset(&bytes, 0, sizeof(bytes));
    if (pread(fd_.get(), &bytes, sizeof(bytes), OffsetOf(slot)) < 0) continue;
    agent = record::Unpack(bytes.agent, &agent_half);
    shim = record::Unpack(bytes.shim, &shim_half);
    if (agent != Reading::kDamaged && shim != Reading::kDamaged) break;
  }
  Halves halves;
  const bool agent_known = agent == Reading::kIntact || agent == Reading::kPrefixOnly;
  if (agent_known && !IsOfBoot(agent_half.prefix, boot_id_)) return halves;
  if (agent == Reading::kIntact) halves.agent = agent_half;
  if (agent == Reading::kPrefixOnly) halves.unreadable = agent_half.prefix;
  if (shim == Reading::kIntact) halves.shim = shim_half;
  // What an earlier user of the slot has left does not count.
  if (shim == Reading::kPrefixOnly && IsOfBoot(shim_half.prefix, boot_id_) &&
      (!agent_known ||
       HasId(shim_half, absl::string_view(agent_half.prefix.id, record::kIdBytes)))) {
    halves.unreadable = shim_half.prefix;
  }
  halves.damaged = agent == Reading::kDamaged || shim == Reading::kDamaged;
  return halves;
}

bool RecordFile::IsLocked(int slot) const { return IsLockedByAnother(fd_.get(), LockOf(slot)); }

bool RecordFile::IsUnused() const {
  const int slots = slot_count_ - first_ + 1;
  return free_.size() == static_cast<size_t>(slots) &&
         !IsLockedByAnother(fd_.get(), LockFrom(first_));
}

void RecordFile::Shrink() {
  if (ftruncate(fd_.get(), record::kSlotBytes) != 0) return;  // They stay free as they are.
  slot_count_ = first_ - 1;
  free_.clear();
}

void RecordFile::Remove() {
  struct stat own {};
  struct stat there {};
  if (fstat(fd_.get(), &own) != 0 || lstat(path_.c_str(), &there) != 0) return;
  if (own.st_dev == there.st_dev && own.st_ino == there.st_ino) unlink(path_.c_str());
}

void RecordFile::Release(int slot) {
  static constexpr record::Area<AgentHalf> kZero = {};
  // The page is there already, so that writing it cannot want for space.
  [[maybe_unused]] const ssize_t put = pwrite(fd_.get(), &kZero, sizeof(kZero), OffsetOf(slot));
}

void RecordFile::Clear(int slot) {
  static constexpr char kZero[record::kSlotBytes] = {};
  // Without space the slot keeps its content, and is found and cleared after the next start.
  const ssize_t put = pwrite(fd_.get(), kZero, sizeof(kZero), OffsetOf(slot));
  if (put == sizeof(kZero) || Read(slot).IsFree()) free_.push_back(slot);
}

std::string RecordFile::cgroup_base() const {
  char text[kBaseBytes] = {};
  const ssize_t got = pread(fd_.get(), text, sizeof(text) - 1, record::kCgroupBaseOffset);
  return got > 0 ? std::string(text) : std::string();
}

absl::Status RecordFile::SetCgroupBase(const std::string& path) {
  if (path.size() >= kBaseBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("cgroup base is longer than ", kBaseBytes - 1, " bytes: ", path));
  }
  char text[kBaseBytes] = {};
  std::copy(path.begin(), path.end(), text);
  if (pwrite(fd_.get(), text, sizeof(text), record::kCgroupBaseOffset) != sizeof(text)) {
    return ErrnoStatus(errno, absl::StrCat("write header of ", path_));
  }
  return absl::OkStatus();
}

int RecordFile::file_count() const {
  uint32_t count = 0;
  const ssize_t got = pread(fd_.get(), &count, sizeof(count), record::kFileCountOffset);
  return got == sizeof(count) && count <= INT_MAX ? static_cast<int>(count) : 0;
}

absl::Status RecordFile::SetFileCount(int count) {
  const auto number = static_cast<uint32_t>(count);
  if (pwrite(fd_.get(), &number, sizeof(number), record::kFileCountOffset) != sizeof(number)) {
    return ErrnoStatus(errno, absl::StrCat("write header of ", path_));
  }
  return absl::OkStatus();
}

}  // namespace shoal::agent
