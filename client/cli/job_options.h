// What `run` and `start` have in common: what to run, how often, and where.
//
// Thread-safety: main thread only.
#ifndef SHOAL_CLIENT_CLI_JOB_OPTIONS_H_
#define SHOAL_CLIENT_CLI_JOB_OPTIONS_H_

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "client/cli/invocation.h"
#include "shoal/fleet.h"
#include "shoal/v1/process.pb.h"

namespace shoal::cli {

struct JobOptions {
  int count = 0;  // -n
  int per_host = 0;
  bool per_core = false;
  std::string name;
  std::vector<std::string> env;
  bool env_all = false;
  std::string cwd;
  std::vector<std::string> labels;
  std::string timeout;
  std::string grace;
  std::string descendants = "end";
  std::string start_method;
  std::string fork_wait;
  std::vector<std::string> ship;
  bool terminal = false;
  bool merge_stderr = false;
  // Id of the process beside which it runs: environment and directory are that one's, but for `env` and `cwd`. Not an
  // option; empty: none.
  std::string beside;

  bool has_counts() const { return count != 0 || per_host != 0 || per_core; }
  // Whether slots, cores and names of the hosts have to be known.
  bool NeedsFacts() const { return count != 1; }
};

void AddJobOptions(CLI::App* command, JobOptions* options);

// --skip-unreachable and --min-hosts.
void AddHostBounds(CLI::App* command, Invocation& invocation);

// The words behind "--", or those that stood in its place. INVALID_ARGUMENT: there are none.
absl::StatusOr<std::vector<std::string>> CommandWords(const CLI::App& command,
                                                      const Invocation& invocation);

// What to run, without its files: the caller adds them. The whole environment of this program goes
// only to agents behind Unix sockets where a process of its own uid listens; with others among them it is
// TERM, LANG and LC_*, unless --env-all asks for it. --env goes before it.
absl::StatusOr<v1::ProcessSpec> BuildSpec(const JobOptions& options,
                                          const std::vector<std::string>& words,
                                          const Fleet& fleet);

// Where a file of the hosts is: absolute, or in the working directory of the processes.
absl::StatusOr<std::string> PathOnHosts(const JobOptions& options, const std::string& path);

// How many on each host. Without -n, --per-host and --per-core one per slot. Says so on stderr if
// that is more than the slots.
absl::StatusOr<std::vector<int>> Place(const JobOptions& options, const Fleet& fleet,
                                       const Invocation& invocation);

// `entries` of --env: KEY=VALUE as it is, KEY with its value in `environment`. INVALID_ARGUMENT: KEY
// is not there, or is empty.
absl::StatusOr<std::vector<std::string>> ResolveEnvironment(
    const std::vector<std::string>& entries, const std::vector<std::string>& environment);

// KEY=VALUE strings, the later of one key alone, those without a key dropped. `all`: everything of
// `environment`.
std::vector<std::string> MergeEnvironment(const std::vector<std::string>& environment, bool all,
                                          const std::vector<std::string>& extra);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_JOB_OPTIONS_H_
