// Finds the processes that a selector names, in slices.
//
// Ownership:     owned by Core; does not own the processes.
// Thread-safety: loop thread only.
// Blocking:      for a slice at a time: see Slices.
// Errors:        NOT_FOUND for a term that fits nothing, INVALID_ARGUMENT for an id prefix that fits
//                several, and for an empty selector.
// Consistency:   a process that is there, and fits, all the time is found; one that comes, goes or
//                changes between two slices may be.
#ifndef SHOAL_AGENT_CORE_SELECTING_H_
#define SHOAL_AGENT_CORE_SELECTING_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "agent/core/caller.h"
#include "agent/core/process_table.h"
#include "agent/core/selector.h"
#include "agent/core/slices.h"

namespace shoal::agent {

class Selecting {
 public:
  // Each process once, by id.
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::vector<ProcessEntry*>>)>;
  using HeldDone = absl::AnyInvocable<void(absl::StatusOr<HeldProcesses>)>;

  Selecting(ProcessTable* table, Slices* slices) : table_(table), slices_(slices) {}

  // Calls back once: before returning, if one slice is enough; never, if the answer is not wanted any
  // more by then.
  void Run(const Caller& caller, Selector selector, IsWanted is_wanted, Done done);
  // The same for work that goes on in later turns: some may have been removed already. Tens of thousands are not
  // looked at once more.
  void Hold(const Caller& caller, Selector selector, IsWanted is_wanted, HeldDone done);

  // The same for a command that says what it selects: `begin(command, selected)`.
  template <typename Command, typename Begin>
  void RunFor(Command command, Begin begin) {
    const Caller caller = command.permit.caller();
    const Selector selector = command.selector;
    const IsWanted is_wanted = command.is_wanted;
    Run(caller, selector, is_wanted,
        [command = std::move(command),
         begin = std::move(begin)](absl::StatusOr<std::vector<ProcessEntry*>> selected) mutable {
          begin(std::move(command), std::move(selected));
        });
  }

 private:
  struct Job;
  bool Step(Job* job);  // false: called back, or not wanted
  bool StepTerm(Job* job);
  bool StepScan(Job* job);
  void Finish(Job* job);

  ProcessTable* const table_;
  Slices* const slices_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_SELECTING_H_
