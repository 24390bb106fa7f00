#include "agent/core/orphans.h"

#include "absl/status/status.h"

namespace shoal::agent {

void Orphans::OnReport(int slot) {
  const auto orphan = ids_.find(slot);
  if (orphan == ids_.end()) return;
  const ShimView view = slots_->Look(slot, orphan->second);
  if (view.shim && (view.shim->flags & record::kFinal) != 0) Free(slot, orphan->second);
}

// If the shim was killed, what is left of its tree must end before its slot is free.
void Orphans::OnDeath(int slot, const std::string& id) {
  const auto orphan = ids_.find(slot);
  if (orphan == ids_.end() || orphan->second != id) return;
  const ShimView view = slots_->Look(slot, id);
  if (view.shim && (view.shim->flags & record::kEmpty) != 0) return Free(slot, id);
  auto free = [this, slot, id](const absl::Status&) { Free(slot, id); };
  if (view.unreadable_version) {
    trees_->AwaitEmptyTree(id, free);
  } else {
    trees_->EndLostTree(id, free);
  }
}

std::vector<int> Orphans::slots() const {
  std::vector<int> slots;
  for (const auto& [slot, id] : ids_) slots.push_back(slot);
  return slots;
}

// In this order: the id may be the one that is erased.
void Orphans::Free(int slot, const std::string& id) {
  slots_->Free(slot, id);
  ids_.erase(slot);
}

}  // namespace shoal::agent
