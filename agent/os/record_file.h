// One record file of a run directory: slots handed out, halves read and written, locks tested.
//
// Ownership:     owned by Records; owns the descriptor and with it the agent lock of this file.
// Thread-safety: loop thread only.
// Blocking:      Open up to 0.2 s while another process holds the agent lock; else a few system
//                calls on tmpfs each.
// Errors:        Open: UNAVAILABLE when another agent serves the file, FAILED_PRECONDITION when it is
//                not ours.
//                Take: RESOURCE_EXHAUSTED (descriptors, space), OUT_OF_RANGE (no slot can be locked);
//                nothing is left behind.
#ifndef SHOAL_AGENT_OS_RECORD_FILE_H_
#define SHOAL_AGENT_OS_RECORD_FILE_H_

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/record/half_format.h"
#include "common/unique_fd.h"

namespace shoal::agent {

using BootIdBytes = std::array<uint8_t, record::kBootIdBytes>;

// The 16 bytes of "f81d4fae-7dec-…". INVALID_ARGUMENT when it is not 32 hex digits and dashes.
absl::StatusOr<BootIdBytes> ParseBootId(absl::string_view text);

// True if the half is one of process `id`.
template <typename Half>
bool HasId(const Half& half, absl::string_view id) {
  return id == absl::string_view(half.prefix.id, record::kIdBytes);
}

// File N has the slots N * kSlotsPerFile and those that follow, each at its number's place, so that a
// slot is known by its number alone; slot 0 of each file is its header. Every lock of a file is in
// one list of the kernel, which each lock, look and close walks: so files stay short.
inline constexpr int kSlotsPerFile = 128;

class RecordFile {
 public:
  // A free slot and its lock, which lives as long as a duplicate of `fd` is open anywhere.
  struct TakenSlot {
    int slot = 0;
    UniqueFd fd;
  };

  // The two halves of a slot, each absent when it is not intact.
  struct Halves {
    std::optional<record::AgentHalf> agent;  // of this boot
    std::optional<record::ShimHalf> shim;
    // Of a half of this boot and of the agent half's process that only a newer version can read.
    std::optional<record::Prefix> unreadable;
    bool damaged = false;    // a half is neither empty nor intact, after re-reading
    std::string Id() const;  // by the agent half, else any other; empty when free
    bool IsFree() const { return !agent && !shim && !unreadable && !damaged; }
    // Of a shim that has no process, or whose last one's outcome is stored: what the shim's half says
    // of a process does not count.
    bool IsIdle() const {
      return !agent && !unreadable && !damaged && shim && (shim->flags & record::kFinal) != 0;
    }
  };

  // What halves of new slots are written as. Tests play other versions of the agent by it.
  struct Format {
    uint32_t version = record::kRecordVersion;
    uint32_t size = sizeof(record::AgentHalf);  // beyond what this agent knows: zeros
    uint32_t oldest_reader = record::kOldestReader;
  };

  // Its path: <run_dir>/records, <run_dir>/records.1 and so on.
  static std::string PathOf(const std::string& run_dir, int index);

  // Opens or creates the file, takes the agent lock, empties a file of another boot. Slots are
  // looked at by FindFreeSlots, once the agent lock of every file is held.
  static absl::StatusOr<std::unique_ptr<RecordFile>> Open(const std::string& run_dir,
                                                          const std::string& boot_id,
                                                          const Format& format, int index = 0);
  // REQUIRES: called once, before any method below.
  void FindFreeSlots();

  // False: every slot is in use, or the file has more slots than one is to have (one of an earlier
  // agent), and gets no new ones until it is empty.
  bool HasRoom() const { return !IsTooLong() && (!free_.empty() || slot_count_ < limit_); }
  absl::StatusOr<TakenSlot> Take();
  // Writes the agent half of a new process: fills in format and boot id, seals it.
  absl::Status Write(int slot, record::AgentHalf half);
  // Changes the agent half of `id` in the format that it has; what this agent does not know of it
  // stays. NOT_FOUND: the slot has no half of that process, or one that this agent cannot read.
  absl::Status Change(int slot, absl::string_view id,
                      absl::AnyInvocable<void(record::AgentHalf&) const> change);
  Halves Read(int slot) const;
  bool IsLocked(int slot) const;
  // The outcome of the slot's process is stored, and its shim stays: the agent half is empty.
  void Release(int slot);
  // Empties a slot that no shim uses any more and makes it free.
  void Clear(int slot);

  // The highest number of a slot that was ever used; one less than the first if none was.
  int slot_count() const { return slot_count_; }
  bool IsTooLong() const { return slot_count_ > limit_; }
  // True: every slot is free, and no process holds the lock of one.
  bool IsUnused() const;
  // Gives the room of the slots back. REQUIRES: IsUnused().
  void Shrink();
  // Removes the file, unless its path is another file's by now. REQUIRES: IsUnused().
  void Remove();

  // There was no file of this boot: nothing is known of what it may have held.
  bool is_new() const { return is_new_; }

  // What an agent of this boot noted as its cgroup base; empty if nothing.
  std::string cgroup_base() const;
  absl::Status SetCgroupBase(const std::string& path);

  // How many record files there are, as the first of them tells; 0: not told.
  int file_count() const;
  absl::Status SetFileCount(int count);

 private:
  RecordFile(UniqueFd fd, std::string path, BootIdBytes boot_id, Format format, int index);
  absl::Status PrepareHeader();
  absl::StatusOr<UniqueFd> OpenAnew() const;
  absl::Status Put(int slot, record::AgentHalf* half, record::Area<record::AgentHalf>* area);

  // Constant after construction.
  const UniqueFd fd_;
  const std::string path_;
  const BootIdBytes boot_id_;
  const Format format_;
  const int first_;  // slot
  const int limit_;  // the last slot that is given out

  // Loop thread only.
  bool is_new_ = false;
  int slot_count_;
  std::deque<int> free_;  // the longest free first: its last shim is surely gone
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_RECORD_FILE_H_
