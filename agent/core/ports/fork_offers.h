// Processes that offer themselves to be forked; see proto/shoal/v1/fork_protocol.h.
//
// Ownership:     main owns the implementation, which outlives the supervisor.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_PORTS_FORK_OFFERS_H_
#define SHOAL_AGENT_CORE_PORTS_FORK_OFFERS_H_

#include "absl/status/status.h"
#include "agent/core/ports/fork_parent.h"

namespace shoal::agent {

class ForkOfferEvents {
 public:
  virtual ~ForkOfferEvents() = default;
  // The process offers itself: to be answered.
  virtual void OnOffer(const ForkParent& parent) = 0;
  // It offers itself no longer.
  virtual void OnWithdrawn(const ForkParent& parent) = 0;
};

class ForkOffers {
 public:
  virtual ~ForkOffers() = default;

  // `events` are called from now on; null: none. They outlive this, or the next call.
  virtual void SetOfferEvents(ForkOfferEvents* events) = 0;

  // Takes the offer of a process, or refuses it with the message of the status; also later, when
  // what the parent had not forked by then has failed.
  virtual void AnswerOffer(const ForkParent& parent, const absl::Status& welcome) = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_PORTS_FORK_OFFERS_H_
