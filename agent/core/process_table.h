// All processes that the agent knows, with their indexes: id, name, slot, request, session.
//
// Ownership:     owned by the supervisor; owns the entries. Work that goes on in later turns holds them by
//                shared_from_this(), and looks at is_removed.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        ALREADY_EXISTS for a name that is held; NOT_FOUND and INVALID_ARGUMENT for
//                selectors.
// Names:         held by a live process, and until its tree is empty, in the scope of its session,
//                or of the agent for DETACHED ones.
#ifndef SHOAL_AGENT_CORE_PROCESS_TABLE_H_
#define SHOAL_AGENT_CORE_PROCESS_TABLE_H_

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/core/model.h"
#include "agent/core/selector.h"
#include "agent/core/usage.h"

namespace shoal::agent {

class ProcessTable {
 public:
  using Entries = std::map<std::string, std::shared_ptr<ProcessEntry>, std::less<>>;

  // REQUIRES: the id is new. Indexes the entry; takes its name if it is not over.
  ProcessEntry* Add(std::unique_ptr<ProcessEntry> process);
  // Takes the entry out of every index.
  std::shared_ptr<ProcessEntry> Remove(const std::string& id);

  ProcessEntry* Find(absl::string_view id) const;
  ProcessEntry* FindBySlot(int slot) const;
  const Entries& entries() const { return entries_; }
  // What owners have: entered and forgotten with the entries; told by others when one is over.
  Usage& usage() { return usage_; }
  const Usage& usage() const { return usage_; }

  // Slot 0 takes the entry out of the slot index.
  void SetSlot(ProcessEntry* process, int slot);
  // Changes owner scope; the caller has checked that the name is free there.
  void SetSession(ProcessEntry* process, const std::string& session_id);
  // The name may be taken again. Harmless when it was free.
  void ReleaseName(const ProcessEntry& process);
  // Gives every name without a holder to the process that should hold it. For recovery: the end of
  // one may not have been stored before another took its name, so both seem to live at first.
  void ClaimNames();

  // The process that holds `name` in the scope, or null.
  ProcessEntry* HolderOf(const std::string& scope, const std::string& name) const;
  // OK, or ALREADY_EXISTS naming the holder.
  absl::Status CheckNameIsFree(const std::string& scope, const std::string& name) const;
  // "<base>-<number>" that is free in the scope.
  std::string MakeName(absl::string_view base);

  // The processes of one request in the order of their request_index.
  std::vector<ProcessEntry*> OfRequest(const std::string& owner,
                                       const std::string& request_id) const;
  // Whether `fits` is true of one of them. The last are asked first: of thousands that end in their
  // order the first that is asked is the one.
  bool HasOfRequest(const std::string& owner, const std::string& request_id,
                    absl::FunctionRef<bool(const ProcessEntry&)> fits) const;
  std::vector<ProcessEntry*> OfSession(const std::string& session_id) const;
  // Those that run beside this one (Spec::beside) and are not over, or are about to.
  std::vector<ProcessEntry*> Beside(const std::string& id) const;
  // Whether the tree of one of them is not over.
  bool IsAliveOf(const std::string& session_id) const;

  // What a term that is no glob fits; see Selecting for whole selectors. A name means what was last
  // started under it: a process, or all ranks of a job; and whatever holds it, one for each session.
  // NOT_FOUND: nothing; INVALID_ARGUMENT: an id prefix that fits several.
  absl::Status SelectExact(const std::string& term, std::set<ProcessEntry*>* out) const;

  // The scope in which a process holds its name.
  static std::string ScopeOf(const ProcessEntry& process);

 private:
  // Of this name, and the ranks of the job of this name.
  std::vector<ProcessEntry*> Called(const std::string& name) const;
  absl::Status SelectById(const std::string& term, std::set<ProcessEntry*>* out) const;

  Usage usage_;
  Entries entries_;
  absl::flat_hash_map<absl::string_view, ProcessEntry*> by_id_;  // keys are in the entries
  absl::flat_hash_map<std::pair<std::string, std::string>, ProcessEntry*> holders_;
  std::multimap<std::string, ProcessEntry*, std::less<>> by_name_;
  absl::flat_hash_map<int, ProcessEntry*> by_slot_;
  absl::flat_hash_map<std::pair<std::string, std::string>, std::map<int, ProcessEntry*>>
      by_request_;
  absl::flat_hash_map<std::string, std::set<ProcessEntry*>> by_session_;
  absl::flat_hash_map<std::string, std::set<ProcessEntry*>> beside_;  // by id of the other
  uint64_t last_number_ = 0;
};

// "web (7KQ2MD, running, PID 4711)".
std::string Describe(const ProcessEntry& process);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_PROCESS_TABLE_H_
