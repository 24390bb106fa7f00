// The record file of a run directory: slots handed out, halves read and written, locks tested.
//
// Ownership:     one per agent, owns the descriptor and with it the agent lock.
// Thread-safety: loop thread only.
// Blocking:      never waits; a few system calls on tmpfs each.
// Errors:        Open: UNAVAILABLE when another agent serves the file, FAILED_PRECONDITION when it is
//                not ours.
//                Take: RESOURCE_EXHAUSTED (descriptors, space); nothing is left behind.
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
  };

  // What halves of new slots are written as. Tests play other versions of the agent by it.
  struct Format {
    uint32_t version = record::kRecordVersion;
    uint32_t size = sizeof(record::AgentHalf);  // beyond what this agent knows: zeros
    uint32_t oldest_reader = record::kOldestReader;
  };

  // Opens or creates <run_dir>/records, takes the agent lock, empties a file of another boot.
  static absl::StatusOr<std::unique_ptr<RecordFile>> Open(const std::string& run_dir,
                                                          const std::string& boot_id,
                                                          const Format& format);

  absl::StatusOr<TakenSlot> Take();
  // Writes the agent half of a new process: fills in format and boot id, seals it.
  absl::Status Write(int slot, record::AgentHalf half);
  // Changes the agent half of `id` in the format that it has; what this agent does not know of it
  // stays. NOT_FOUND: the slot has no half of that process, or one that this agent cannot read.
  absl::Status Change(int slot, absl::string_view id,
                      absl::AnyInvocable<void(record::AgentHalf&) const> change);
  Halves Read(int slot) const;
  bool IsLocked(int slot) const;
  // Empties a slot that no shim uses any more and makes it free.
  void Clear(int slot);

  // Slots are 1 … slot_count().
  int slot_count() const { return slot_count_; }

  // There was no file of this boot: nothing is known of what it may have held.
  bool is_new() const { return is_new_; }

  // What an agent of this boot noted as its cgroup base; empty if nothing.
  std::string cgroup_base() const;
  absl::Status SetCgroupBase(const std::string& path);

 private:
  RecordFile(UniqueFd fd, std::string path, BootIdBytes boot_id, Format format);
  absl::Status PrepareHeader();
  void FindFreeSlots();
  absl::StatusOr<UniqueFd> OpenAnew() const;
  absl::Status Put(int slot, record::AgentHalf* half, record::Area<record::AgentHalf>* area);

  // Constant after construction.
  const UniqueFd fd_;
  const std::string path_;
  const BootIdBytes boot_id_;
  const Format format_;

  // Loop thread only.
  bool is_new_ = false;
  int slot_count_ = 0;
  std::deque<int> free_;  // the longest free first: its last shim is surely gone
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_RECORD_FILE_H_
