// Which observers hear of which process: those that follow it, and no others, so that a turn
// costs what changed in it and not the number of observers.
//
// An observer follows processes by their ids, and whatever matches a selector. A selector of one
// session, or of exact names and ids, is found by an index; any other is an open one, evaluated
// for each process that has news. However many of these fit, a change is told once.
//
// Ownership:     owned by the core; owns no observer, each is removed before it is destroyed.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        none.
// Re-entrancy:   observers may be added, extended and removed within a call. What is removed hears
//                nothing more, not even of the end of this turn; what is added or extended hears
//                from the next call on.
#ifndef SHOAL_AGENT_CORE_OBSERVERS_H_
#define SHOAL_AGENT_CORE_OBSERVERS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "agent/core/process_observer.h"
#include "agent/core/selector.h"

namespace shoal::agent {

class Observers {
 public:
  // OnChanged and OnOutput of every process that matches at that time, and OnSessionOver of the
  // selector's session, or of every session if it has `all`. That a process has ceased to match,
  // or was deleted, is told to those that follow it by its id. REQUIRES: the first selector of
  // this observer.
  void Follow(ProcessObserver* observer, const Selector& selector);
  // All that becomes of one process, until it is deleted. Harmless when repeated.
  void FollowProcess(ProcessObserver* observer, const std::string& id);
  // Harmless for an observer that follows nothing.
  void Remove(ProcessObserver* observer);

  // For the ledger, after the commit of what is told.
  void TellChanged(const ProcessEntry& process);
  void TellOutput(const ProcessEntry& process);
  void TellDeleted(const std::string& id, int64_t revision);
  void TellSessionOver(const std::string& session_id);
  void TellTurnEnd();

 private:
  struct Registration {
    ProcessObserver* observer = nullptr;  // null: removed
    uint64_t last_call = 0;               // the call for which it was chosen last
    bool has_heard = false;               // in this turn
    std::optional<Selector> selector;
    absl::flat_hash_set<std::string> ids;
  };
  using List = std::vector<Registration*>;
  using Index = absl::flat_hash_map<std::string, List>;

  Registration& RegistrationOf(ProcessObserver* observer);
  void Choose(Registration* registration);
  void ChooseFrom(const Index& index, const std::string& key, const ProcessEntry& process);
  void ChooseMatching(const List& list, const ProcessEntry& process);
  void ChooseFollowersOf(const ProcessEntry& process);
  template <typename Call>
  void CallChosen(Call call);

  absl::flat_hash_map<ProcessObserver*, std::unique_ptr<Registration>> registrations_;
  Index by_process_;
  Index by_session_;
  Index by_term_;
  List open_;

  uint64_t last_call_ = 0;
  List chosen_;                                         // for the call being prepared
  List heard_;                                          // in this turn
  std::vector<std::unique_ptr<Registration>> removed_;  // in this turn
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_OBSERVERS_H_
