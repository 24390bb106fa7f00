// Slots whose processes were deleted while their shims still had them: each is freed when its shim is
// done, or when what a dead one has left was ended.
//
// Ownership:     owned by the record reader.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        none: a slot that cannot be freed now is found by the next agent.
#ifndef SHOAL_AGENT_CORE_ORPHANS_H_
#define SHOAL_AGENT_CORE_ORPHANS_H_

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "agent/core/ports/process_trees.h"
#include "agent/core/ports/shim_slots.h"

namespace shoal::agent {

class Orphans {
 public:
  Orphans(ShimSlots* slots, ProcessTrees* trees) : slots_(slots), trees_(trees) {}

  // Its slot is free once its shim has ended.
  void Add(int slot, const std::string& id) { ids_[slot] = id; }
  // Of any slot that has no process; harmless for one that is no orphan.
  void OnReport(int slot);
  void OnDeath(int slot, const std::string& id);

  std::vector<int> slots() const;

 private:
  void Free(int slot, const std::string& id);

  ShimSlots* const slots_;
  ProcessTrees* const trees_;
  absl::flat_hash_map<int, std::string> ids_;  // by slot
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_ORPHANS_H_
