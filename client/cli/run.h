// What `run` and `exec` share: processes that are attached to the command, and end with it.
//
// Ownership:     values.
// Thread-safety: main thread only.
// Blocking:      until the processes are over.
// Errors:        told on stderr; the exit status is theirs.
#ifndef SHOAL_CLIENT_CLI_RUN_H_
#define SHOAL_CLIENT_CLI_RUN_H_

#include <string>

#include "client/cli/command.h"
#include "client/cli/job_options.h"

namespace shoal::cli {

struct RunArguments {
  JobOptions job;
  // Name or id of the process to run beside, as typed; empty: on hosts that are named.
  std::string beside;
  std::string tag;
  bool has_tag = false;  // --tag was given, be it empty
  bool no_tag = false;
  bool raw = false;
  bool gather = false;
  std::string halt = "now,fail=1";
  bool detach_on_hangup = false;
  std::string session_ttl = "15s";
  bool has_session_ttl = false;  // it was given
  bool forget = false;
  std::string stdin_choice;
  std::string detach_keys = "ctrl-p,ctrl-q";  // with a terminal
};

// Runs the words of the command; the exit status.
int RunAttached(const RunArguments& arguments, const CLI::App& command, Invocation& invocation);

// --detach-keys, --forget and --session-ttl, which both have.
void AddAttachedOptions(CLI::App* command, RunArguments* arguments);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_RUN_H_
