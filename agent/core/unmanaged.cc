#include "agent/core/unmanaged.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/core/reason.h"
#include "agent/core/transitions.h"

namespace shoal::agent {

void TakeOverUnmanaged(Core* core, ProcessEntry* process, int slot, uint32_t version) {
  core->table.SetSlot(process, slot);
  Advance(process, State::kStarting);
  process->flags |= kFlagUnmanaged;
  process->record_version = version;
  core->ledger.Changed(process);
}

std::string DescribeRecordVersion(const Core& core, uint32_t version) {
  const bool is_known =
      !core.newest_agent.empty() && core.newest_agent != core.options.agent_version;
  return absl::StrCat("its record is of version ", version, ", which ",
                      is_known ? absl::StrCat("agent ", core.newest_agent) : "a newer agent",
                      " can read");
}

absl::Status CheckManaged(const Core& core, const ProcessEntry& process) {
  if (!process.IsUnmanaged() || process.IsOver()) return absl::OkStatus();
  return WithReason(kReasonUnmanaged, absl::FailedPreconditionError(absl::StrCat(
                                          Describe(process), " is left alone by this agent: ",
                                          DescribeRecordVersion(core, process.record_version),
                                          "; start that one to end it")));
}

void NoteUnmanagedEnd(Core* core, ProcessEntry* process, Termination wanted) {
  if (!process->termination) process->termination = std::move(wanted);
  core->ledger.Save(*process);
  core->ledger.Changed(process);
}

}  // namespace shoal::agent
