// What the parts of the supervisor share.
//
// Ownership:     owned by the supervisor, which outlives every part; does not own the ports.
// Thread-safety: loop thread only.
// Blocking:      as each part says.
// Errors:        none; a struct that the parts share.
#ifndef SHOAL_AGENT_CORE_CORE_H_
#define SHOAL_AGENT_CORE_CORE_H_

#include <string>
#include <utility>

#include "agent/core/ledger.h"
#include "agent/core/observers.h"
#include "agent/core/options.h"
#include "agent/core/ports.h"
#include "agent/core/ports/clock.h"
#include "agent/core/ports/scheduler.h"
#include "agent/core/process_events.h"
#include "agent/core/process_table.h"
#include "agent/core/request_log.h"
#include "agent/core/running_calls.h"
#include "agent/core/selecting.h"
#include "agent/core/slices.h"
#include "agent/core/waits.h"

namespace shoal::agent {

struct Core {
  Core(SupervisorOptions the_options, const Ports& ports, ProcessEvents* the_events)
      : options(std::move(the_options)),
        clock(ports.clock),
        scheduler(ports.scheduler),
        events(the_events),
        waits(ports.scheduler, &slices),
        requests(ports.store, ports.clock, options.requests),
        ledger(ports.store, ports.scheduler, &table, &waits, &observers, &requests),
        slices(ports.clock, ports.scheduler),
        selecting(&table, &slices),
        running(ports.scheduler) {}

  const SupervisorOptions options;
  Clock* const clock;
  Scheduler* const scheduler;
  ProcessEvents* const events;
  ProcessTable table;
  Waits waits;
  Observers observers;
  RequestLog requests;
  Ledger ledger;
  Slices slices;
  Selecting selecting;
  RunningCalls running;
  std::string newest_agent;  // version of the newest that has used the store; set by recovery
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_CORE_H_
