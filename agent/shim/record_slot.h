// The shim's side of its record slot: the agent's half as last read, its own half, and the reports.
//
// Ownership:     the one writer of the ShimHalf of its slot; does not own the descriptors 3 and 4.
// Thread-safety: single-threaded process only.
// Blocking:      reads and writes of one page on tmpfs.
#ifndef SHOAL_AGENT_SHIM_RECORD_SLOT_H_
#define SHOAL_AGENT_SHIM_RECORD_SLOT_H_

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "agent/record/record_layout.h"

namespace shoal::shim {

class RecordSlot {
 public:
  // Reads the agent's half of slot `slot`. False if it is not an intact half of this version.
  bool Open(uint32_t slot) {
    slot_ = slot;
    if (!ReadAgent()) return false;
    memcpy(shim_.id, agent_.id, sizeof(shim_.id));
    shim_.shim_pid = getpid();
    return true;
  }

  // Reads the agent's half again. False, and the last good one stays, if it is damaged or being
  // written.
  bool ReadAgent() {
    const off_t at = static_cast<off_t>(slot_ * record::kSlotBytes + record::kAgentHalfOffset);
    // The agent may be in the middle of its pwrite: a torn half is read again.
    for (int attempt = 0; attempt < 4; ++attempt) {
      record::AgentHalf half;
      if (pread(record::kRecordFd, &half, sizeof(half), at) != sizeof(half)) return false;
      if (!record::IsIntact(half)) continue;
      agent_ = half;
      return true;
    }
    return false;
  }

  // Writes the shim's half. Without a report nobody is woken: for the first half, which tells the
  // agent nothing that it does not know.
  void Write() {
    record::SealHalf(&shim_);
    const off_t at = static_cast<off_t>(slot_ * record::kSlotBytes + record::kShimHalfOffset);
    // Nothing can be done about a failure on tmpfs; the next write has everything again.
    [[maybe_unused]] ssize_t written = pwrite(record::kRecordFd, &shim_, sizeof(shim_), at);
  }
  // Writes the shim's half and reports it. A full FIFO drops the report: the agent then reads all
  // records.
  void Publish() {
    Write();
    record::Report report = {slot_, shim_.flags, static_cast<uint32_t>(shim_.shim_pid), 0};
    memcpy(&report.id_prefix, shim_.id, sizeof(report.id_prefix));
    [[maybe_unused]] ssize_t written = write(record::kReportFd, &report, sizeof(report));
  }

  // True while an agent holds the agent lock (slot 0).
  bool AgentLives() const {
    struct flock lock = {F_WRLCK, SEEK_SET, 0, record::kSlotBytes, 0};
    // An error is no proof that the agent is gone.
    return fcntl(record::kRecordFd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
  }

  const record::AgentHalf& agent() const { return agent_; }
  // What the next Write() writes.
  record::ShimHalf& shim() { return shim_; }

 private:
  uint32_t slot_ = 0;
  record::AgentHalf agent_ = {};
  record::ShimHalf shim_ = {};
};

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_RECORD_SLOT_H_
