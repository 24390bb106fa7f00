// The record files of a run directory as one: a slot is known by its number, whatever its file.
//
// Slots are taken from the first file that has a free one; a file is added when none has, and the
// last ones are removed when they are empty, but for one in reserve. A file of an earlier agent may
// have more slots than a file is to have: it serves its shims, is given no new one, and is emptied
// when its last lock is free; until then files whose numbers it has are left empty.
//
// Ownership:     one per agent; owns the files and with them the agent lock.
// Thread-safety: loop thread only.
// Blocking:      Open reads every slot; else a few system calls on tmpfs.
// Errors:        Open: UNAVAILABLE when another agent serves the directory, FAILED_PRECONDITION when
//                a file is not ours. Take: RESOURCE_EXHAUSTED (descriptors, space, slots); nothing is
//                left behind.
#ifndef SHOAL_AGENT_OS_RECORDS_H_
#define SHOAL_AGENT_OS_RECORDS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/os/record_file.h"

namespace shoal::agent {

class Records {
 public:
  // Takes the agent lock of all files before it reads a slot: a shim asks the header of its own file
  // whether an agent lives.
  static absl::StatusOr<std::unique_ptr<Records>> Open(const std::string& run_dir,
                                                       const std::string& boot_id,
                                                       const RecordFile::Format& format);

  absl::StatusOr<RecordFile::TakenSlot> Take();

  // Of the slot's file; see RecordFile. A number that no file has is a slot that is free.
  absl::Status Write(int slot, record::AgentHalf half);
  absl::Status Change(int slot, absl::string_view id,
                      absl::AnyInvocable<void(record::AgentHalf&) const> change);
  RecordFile::Halves Read(int slot) const;
  bool IsLocked(int slot) const;
  void Release(int slot);
  void Clear(int slot);

  // Slots are 1 … slot_count(), of which some have never been used.
  int slot_count() const;

  // A file of this boot is not there: nothing is known of what it may have held.
  bool is_new() const { return is_new_; }

  // What an agent of this boot noted as its cgroup base; empty if nothing.
  std::string cgroup_base() const { return files_.front()->cgroup_base(); }
  absl::Status SetCgroupBase(const std::string& path) {
    return files_.front()->SetCgroupBase(path);
  }

 private:
  Records(std::string run_dir, std::string boot_id, RecordFile::Format format);
  absl::Status OpenFiles();
  absl::Status AddFile();
  RecordFile* FileOf(int slot) const;
  bool IsShadowed(size_t index) const;
  void GiveBack();

  // Constant after construction.
  const std::string run_dir_;
  const std::string boot_id_;
  const RecordFile::Format format_;

  // Loop thread only.
  std::vector<std::unique_ptr<RecordFile>> files_;  // never empty after Open
  bool is_new_ = false;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_RECORDS_H_
