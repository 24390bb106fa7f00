#include "agent/shim/record_slot.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

namespace shoal::shim {

bool RecordSlot::Open(uint32_t slot) {
  slot_ = slot;
  if (!ReadAgent()) return false;
  memcpy(shim_.id, agent_.id, sizeof(shim_.id));
  shim_.shim_pid = getpid();
  return true;
}

bool RecordSlot::ReadAgent() {
  const off_t at = static_cast<off_t>(slot_ * record::kSlotBytes + record::kAgentHalfOffset);
  // The agent may be in the middle of its pwrite: a torn half is read again.
  for (int attempt = 0; attempt < 4; ++attempt) {
    record::AgentHalf half;
    if (pread(record::kRecordFd, &half, sizeof(half), at) != sizeof(half)) return false;
    const bool same_owner = shim_.shim_pid == 0 || memcmp(half.id, shim_.id, sizeof(half.id)) == 0;
    if (record::IsIntact(half) && same_owner) {
      agent_ = half;
      return true;
    }
  }
  return false;
}

void RecordSlot::Write() {
  record::SealHalf(&shim_);
  const off_t at = static_cast<off_t>(slot_ * record::kSlotBytes + record::kShimHalfOffset);
  // Nothing can be done about a failure on tmpfs; the next write has everything again.
  [[maybe_unused]] ssize_t written = pwrite(record::kRecordFd, &shim_, sizeof(shim_), at);
}

void RecordSlot::Publish() {
  Write();
  record::Report report = {slot_, shim_.flags, static_cast<uint32_t>(shim_.shim_pid), 0};
  memcpy(&report.id_prefix, shim_.id, sizeof(report.id_prefix));
  [[maybe_unused]] ssize_t written = write(record::kReportFd, &report, sizeof(report));
}

bool RecordSlot::AgentLives() const {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_len = record::kSlotBytes;
  // An error is no proof that the agent is gone.
  return fcntl(record::kRecordFd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

}  // namespace shoal::shim
