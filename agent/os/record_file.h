// The record file of a run directory: slots handed out, halves read and written, locks tested.
//
// Ownership:     one per agent, owns the descriptor and with it the agent lock.
// Thread-safety: loop thread only.
// Blocking:      never waits; a few system calls on tmpfs each.
// Errors:        Open: FAILED_PRECONDITION when another agent serves the file or it is not ours.
//                Take: RESOURCE_EXHAUSTED (descriptors, space); nothing is left behind.
#ifndef SHOAL_AGENT_OS_RECORD_FILE_H_
#define SHOAL_AGENT_OS_RECORD_FILE_H_

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/record/record_layout.h"
#include "common/unique_fd.h"

namespace shoal::agent {

using BootIdBytes = std::array<uint8_t, record::kBootIdBytes>;

// The 16 bytes of "f81d4fae-7dec-…". INVALID_ARGUMENT when it is not 32 hex digits and dashes.
absl::StatusOr<BootIdBytes> ParseBootId(absl::string_view text);

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
    bool damaged = false;        // a half is neither empty nor intact, after re-reading
    bool other_version = false;  // written by an agent of another record version
    std::string Id() const;      // by the agent half, else the shim half; empty when free
    bool IsFree() const { return !agent && !shim && !damaged && !other_version; }
  };

  // Opens or creates <run_dir>/records, takes the agent lock, empties a file of another boot.
  static absl::StatusOr<std::unique_ptr<RecordFile>> Open(const std::string& run_dir,
                                                          const std::string& boot_id);

  absl::StatusOr<TakenSlot> Take();
  // Seals `half` with the sequence that follows `half.sequence`, fills in the boot id, writes it.
  absl::Status Write(int slot, record::AgentHalf half);
  Halves Read(int slot) const;
  bool IsLocked(int slot) const;
  // Empties a slot that no shim uses any more and makes it free.
  void Clear(int slot);

  // Slots are 1 … slot_count().
  int slot_count() const { return slot_count_; }

  // There was no file of this boot: nothing is known of what it may have held.
  bool is_new() const { return is_new_; }

  // What the agent of this boot noted as its cgroup base; empty if nothing.
  std::string cgroup_base() const;
  absl::Status SetCgroupBase(const std::string& path);

 private:
  RecordFile(UniqueFd fd, std::string path, BootIdBytes boot_id);
  absl::Status PrepareHeader();
  void FindFreeSlots();
  absl::StatusOr<UniqueFd> OpenAnew() const;

  // Constant after construction.
  const UniqueFd fd_;
  const std::string path_;
  const BootIdBytes boot_id_;

  // Loop thread only.
  bool is_new_ = false;
  int slot_count_ = 0;
  std::deque<int> free_;  // the longest free first: its last shim is surely gone
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_RECORD_FILE_H_
