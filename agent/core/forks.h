// Forks: what each parent is asked for, a few at a time, and whether it does it.
//
// Ownership:     by the supervisor. Thread-safety: loop thread only. Blocking: as Templates.
// Story:         Start: the parent is a template (Templates::Acquire) or the process that the spec
//                names, and must offer itself (Offers::Await) → Ask: there is room among what it
//                has to do, and where the process comes from is durable → LaunchAsked → the record
//                says that it runs or failed (OnStartSettled), which makes room for who waits
//                (AskWaiting). A parent that does nothing for half a minute is stuck (Watch).
#ifndef SHOAL_AGENT_CORE_FORKS_H_
#define SHOAL_AGENT_CORE_FORKS_H_

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "agent/core/core.h"

namespace shoal::agent {

class Offers;
class Templates;

class Forks {
 public:
  // `launch` sends a PENDING process's fork to its parent.
  Forks(Core* core, Offers* offers, Templates* templates,
        std::function<void(ProcessEntry*, const ForkParent&)> launch)
      : core_(core), offers_(offers), templates_(templates), launch_(std::move(launch)) {}

  // A PENDING process of FORKSERVER or FORK. It is launched, or fails to start, now or later.
  void Start(ProcessEntry* process);

  // A start is known to have succeeded or failed.
  void OnStartSettled(const ProcessEntry& process);

 private:
  struct Parent {
    std::set<std::string> asked;  // ids that it was asked for and is not done with
    std::deque<std::string> waiting;
    absl::Duration progress;  // CLOCK_BOOTTIME of the first ask, or of the last answer
    bool watched = false;
  };

  void Ask(const std::string& parent_id, const std::string& id);
  void LaunchAsked(const std::string& parent_id, const std::string& id);
  void AskWaiting(const std::string& parent_id);
  void Watch(const std::string& parent_id, absl::Duration delay);
  void Fail(const std::string& id, const absl::Status& why);

  Core* const core_;
  Offers* const offers_;
  Templates* const templates_;
  const std::function<void(ProcessEntry*, const ForkParent&)> launch_;
  std::map<std::string, Parent> parents_;  // by id
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_FORKS_H_
