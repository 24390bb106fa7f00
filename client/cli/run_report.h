// What `run` says when it is over.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_CLI_RUN_REPORT_H_
#define SHOAL_CLIENT_CLI_RUN_REPORT_H_

#include <string>
#include <vector>

#include "shoal/halt_rule.h"
#include "shoal/job.h"

namespace shoal::cli {

struct RunFacts {
  std::vector<std::string> host_names;       // by index, as JobResult has them
  std::vector<std::string> host_flags = {};  // what -H takes for each; empty: it was not given
  HaltRule halt;
  std::string program;                    // argv[0]
  std::vector<std::string> shipped = {};  // beside it
  int end_signal = 0;                     // that interrupted it, or 0
  bool may_ship = true;                   // it has `--ship`
};

// Everything that goes to stderr: the first failure with its last lines of stderr, the processes
// that were ended because of it or of an interrupt, what is left and where; a table of the failures
// if there are several, by host and end; and one line in sum if there was more than one process. Empty for a single process of which its exit status says
// everything.
std::string ReportRun(const JobResult& result, const RunFacts& facts);

// Of that what is an error of ours, not an end of a process: why the one that failed first was not started. Else empty.
std::string ReportNotStarted(const JobResult& result, const RunFacts& facts);

// The same for scripts, as a line of JSON of kind "summary".
std::string SummaryLine(const JobResult& result, const RunFacts& facts, int exit_status);

// The exit status of the first failing rank (124 at its time limit); 128 + signal when interrupted before any failed; 69 if
// a host was lost; 1 if something is left though nothing failed.
int RunExitStatus(const JobResult& result, const RunFacts& facts);

// The last `max_lines` lines of `text`, each behind "  │ ", escaped; empty for an empty text.
inline constexpr size_t kTailLines = 10;  // of stderr, where an end is told
std::string QuoteTail(const std::string& text, size_t max_lines);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_RUN_REPORT_H_
