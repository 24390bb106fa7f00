// Forks: what each parent is asked for, a few at a time, and whether it does it.
//
// Ownership:     owned by the supervisor; does not own the processes.
// Thread-safety: loop thread only.
// Blocking:      as Templates: on the file system, to see whether a program changed.
// Errors:        none returned; a fork that cannot be made is the start failure of its process.
// Story:         Start: the parent is a template (Templates::Acquire) or the process that the spec
//                names, and must offer itself (Offers::Await) → Ask: there is room among what it
//                has to do, and where the process comes from is durable → LaunchAsked → the record
//                says that it runs or failed (OnStartSettled), which makes room for the next
//                waiting fork (AskWaiting). A parent that makes no progress for half a minute is
//                stuck (Watch).
#ifndef SHOAL_AGENT_CORE_FORKS_H_
#define SHOAL_AGENT_CORE_FORKS_H_

#include <deque>
#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/core/core.h"
#include "agent/core/launcher.h"
#include "agent/core/offers.h"
#include "agent/core/ports/programs.h"
#include "agent/core/start_queue.h"
#include "agent/core/starter.h"
#include "agent/core/templates.h"

namespace shoal::agent {

class Forks final : public Starter {
 public:
  Forks(Core* core, Programs* programs, const StartQueue* queue, Launcher* launcher, Offers* offers,
        Templates* templates)
      : core_(core),
        programs_(programs),
        queue_(queue),
        launcher_(launcher),
        offers_(offers),
        templates_(templates) {}

  // A PENDING process of FORKSERVER or FORK. It is launched, or fails to start, now or later.
  void Start(ProcessEntry* process) override;

  // A start is known to have succeeded or failed.
  void OnStartSettled(const ProcessEntry& process);
  // The parent did not fork, or no shim wrote the record: the process has failed to start.
  void OnRefused(ProcessEntry* process, const ForkFailure& refused);

 private:
  struct Parent {
    std::set<std::string> asked;  // ids that it was asked for and is not done with
    std::deque<std::string> waiting;
    absl::Duration progress;  // CLOCK_BOOTTIME of the first ask, or of the last answer
    bool watched = false;
  };

  void Ask(const std::string& parent_id, const std::string& id);
  void LaunchAsked(const std::string& parent_id, const std::string& id);
  // How many of this owner a parent is asked for at a time.
  size_t MostAskedFor(const std::string& owner) const;
  void AskWaiting(const std::string& parent_id);
  void Watch(const std::string& parent_id, absl::Duration delay);
  void Fail(const std::string& id, const absl::Status& why);

  Core* const core_;
  Programs* const programs_;
  const StartQueue* const queue_;
  Launcher* const launcher_;
  Offers* const offers_;
  Templates* const templates_;
  std::map<std::string, Parent> parents_;  // by id
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_FORKS_H_
