// Which processes offer themselves to be forked, and which starts wait for that.
//
// Ownership:     owned by the supervisor; does not own the processes.
// Thread-safety: loop thread only.
// Blocking:      never blocks, except for a small read of the last output of a process that did not
//                offer itself in time.
// Errors:        Await's callback gets the status; see there.
// Story:         an offer comes with a PID and a start time (OnOffer); the process that has both is
//                welcomed, at once or when its start is known (OnStarted); any other offer is
//                refused → the starts that wait for it (Await) go on → it withdraws, or is over
//                (OnOver).
#ifndef SHOAL_AGENT_CORE_OFFERS_H_
#define SHOAL_AGENT_CORE_OFFERS_H_

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "agent/core/core.h"
#include "agent/core/ports/fork_offers.h"
#include "agent/core/ports/output_files.h"

namespace shoal::agent {

class Offers final : public ForkOfferEvents {
 public:
  using Callback = absl::AnyInvocable<void(const absl::Status& offered)>;

  Offers(Core* core, ForkOffers* port, OutputFiles* output)
      : core_(core), port_(port), output_(output), began_(core->clock->BootTime()) {}

  std::optional<ForkParent> Of(const std::string& process_id) const;

  // Calls back once, perhaps at once: OK when the process offers itself. FAILED_PRECONDITION: it is
  // over, or has not within `patience`; the message says how it ended and what it said last.
  void Await(const ProcessEntry& process, absl::Duration patience, Callback done);
  // How long a fork of the process waits for its offer unless it says so itself: both it and this
  // agent may have started just now.
  absl::Duration PatienceFor(const ProcessEntry& process) const;

  void OnOffer(const ForkParent& parent) override;
  void OnWithdrawn(const ForkParent& parent) override;
  void OnStarted(const ProcessEntry& process);
  void OnOver(const ProcessEntry& process);
  // The process was not started: the starts that wait for its offer fail.
  void Fail(const std::string& process_id, const absl::Status& why);

 private:
  struct Waiter {
    uint64_t number = 0;
    Scheduler::TimerId timer = 0;
    Callback done;
  };

  const ProcessEntry* ProcessOf(const ForkParent& parent) const;
  void Welcome(const ProcessEntry& process, const ForkParent& parent);
  void RefuseUnknown(const ForkParent& parent);
  bool MayBeUnmanaged() const;
  void Settle(const std::string& process_id, const absl::Status& offered);
  void OnImpatient(const std::string& process_id, uint64_t number, absl::Duration patience);

  Core* const core_;
  ForkOffers* const port_;
  OutputFiles* const output_;
  const absl::Duration began_;
  std::map<std::string, ForkParent> offers_;  // by process id
  std::vector<ForkParent> unknown_;           // of processes not seen to start yet
  std::map<std::string, std::vector<Waiter>> waiters_;
  uint64_t last_number_ = 0;
};

// "exited with code 3; the last of its stderr: 'no such module'", of a process that is over.
std::string HowItEnded(const ProcessEntry& process);

// ": 'last lines'" behind `what`, or nothing.
std::string LastWords(absl::string_view what, absl::string_view stderr_tail);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_OFFERS_H_
