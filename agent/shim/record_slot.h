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

#include "agent/record/half_format.h"
#include "agent/record/orders.h"

namespace shoal::shim {

class RecordSlot {
 public:
  explicit RecordSlot(uint32_t slot) : slot_(slot) {}

  // Reads the agent's half. kIntact, or why this shim cannot work by it.
  record::Reading Open() {
    const record::Reading reading = Read();
    if (reading != record::Reading::kIntact) return reading;
    record::SetFormat(&shim_);
    if (agent_.prefix.version == record::kVersion2) record::SetFormat2(&shim_);
    memcpy(shim_.prefix.id, agent_.prefix.id, sizeof(shim_.prefix.id));
    memcpy(shim_.prefix.boot_id, agent_.prefix.boot_id, sizeof(shim_.prefix.boot_id));
    shim_.shim_pid = getpid();
    return reading;
  }

  // The agent has let the slot go: its half is empty, or that of another process than `id`
  // (kIdBytes).
  bool IsFreedBy(const char* id) {
    const record::Reading reading = Read();
    if (reading == record::Reading::kEmpty) return true;
    return reading == record::Reading::kIntact &&
           memcmp(agent_.prefix.id, id, record::kIdBytes) != 0;
  }
  // The agent's half is that of no process.
  bool IsEmpty() { return Read() == record::Reading::kEmpty; }
  // What the next Write() or Publish() writes is the half of an idle shim.
  void BecomeIdle(uint64_t start_ticks) {
    shim_ = {};
    record::SetFormat(&shim_);
    shim_.flags = record::kIdle | record::kFinal | record::kEmpty;
    shim_.shim_pid = getpid();
    shim_.shim_start_ticks = start_ticks;
  }
  // Leaves nothing of the shim in its half: the slot is as if it had never been.
  void Erase() {
    static constexpr record::Area<record::ShimHalf> kZero = {};
    const off_t at = static_cast<off_t>(slot_ * record::kSlotBytes + record::kShimHalfOffset);
    [[maybe_unused]] ssize_t written = pwrite(record::kRecordFd, &kZero, sizeof(kZero), at);
  }

  // Reads the agent's half again. False, and the last good one stays, if it is damaged or being
  // written.
  bool ReadAgent() { return Read() == record::Reading::kIntact; }

  // Writes the shim's half. Without a report no agent is woken: for the first half, which tells it
  // nothing that it does not know.
  void Write() {
    record::Area<record::ShimHalf> area;
    const size_t size = record::Pack(&shim_, &area);
    const off_t at = static_cast<off_t>(slot_ * record::kSlotBytes + record::kShimHalfOffset);
    // Nothing can be done about a failure on tmpfs; the next write has everything again.
    [[maybe_unused]] ssize_t written = pwrite(record::kRecordFd, &area, size, at);
  }
  // Writes the shim's half and reports it. A full FIFO drops the report: the agent then reads all
  // records.
  void Publish() {
    Write();
    record::Report report = {slot_, shim_.flags, static_cast<uint32_t>(shim_.shim_pid), 0};
    memcpy(&report.id_prefix, shim_.prefix.id, sizeof(report.id_prefix));
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
  record::Reading Read() {
    const off_t at = static_cast<off_t>(slot_ * record::kSlotBytes + record::kAgentHalfOffset);
    record::Reading reading = record::Reading::kEmpty;
    // The agent may be in the middle of its pwrite: a torn half is read again.
    for (int attempt = 0; attempt < 4; ++attempt) {
      record::Area<record::AgentHalf> area = {};
      record::AgentHalf half;
      if (pread(record::kRecordFd, &area, sizeof(area), at) < 0) continue;
      reading = record::Unpack(area, &half);
      if (reading == record::Reading::kDamaged) continue;
      if (reading == record::Reading::kIntact) agent_ = half;
      break;
    }
    return reading;
  }

  const uint32_t slot_;
  record::AgentHalf agent_ = {};
  record::ShimHalf shim_ = {};
};

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_RECORD_SLOT_H_
