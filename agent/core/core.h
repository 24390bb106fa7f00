// What the parts of the supervisor share.
//
// Ownership:     by the supervisor, which outlives every part. Thread-safety: loop thread only.
#ifndef SHOAL_AGENT_CORE_CORE_H_
#define SHOAL_AGENT_CORE_CORE_H_

#include <string>

#include "absl/functional/any_invocable.h"
#include "agent/core/ledger.h"
#include "agent/core/ports.h"
#include "agent/core/process_table.h"
#include "agent/core/supervisor.h"
#include "agent/core/waits.h"

namespace shoal::agent {

struct Core {
  Core(SupervisorOptions the_options, Clock* the_clock, Scheduler* the_scheduler, Shims* the_shims,
       OutputFiles* the_output, ProcessFiles* the_files, Store* store)
      : options(std::move(the_options)),
        clock(the_clock),
        scheduler(the_scheduler),
        shims(the_shims),
        output(the_output),
        files(the_files),
        waits(the_scheduler),
        ledger(store, the_scheduler, &table, &waits) {}

  const SupervisorOptions options;
  Clock* const clock;
  Scheduler* const scheduler;
  Shims* const shims;
  OutputFiles* const output;
  ProcessFiles* const files;
  ProcessTable table;
  Waits waits;
  Ledger ledger;

  // A process has started, failed to, or was lost before. Set by the supervisor.
  absl::AnyInvocable<void(ProcessEntry*)> on_start_settled;
  // A fork came to nothing. True: the next one would, too, so that trying again is pointless. Set
  // by the supervisor.
  absl::AnyInvocable<bool(const std::string& parent_id, const ForkFailure& refused)> on_fork_failed;
  // A process became over: its name is free, its session or the retention may let it go. Set by the
  // supervisor.
  absl::AnyInvocable<void(ProcessEntry*)> on_over;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_CORE_H_
