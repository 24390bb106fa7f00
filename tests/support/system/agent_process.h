// One agent: the real shoald, with state and run directory of its own.
//
// Ownership:     owns the program it started; the directories stay, so that Start() after an end or
//                Kill() is a restart. The processes of the agent are not its own: see SystemTest.
// Thread-safety: main thread only.
// Blocking:      Start until the agent says that it is ready, Stop until it has ended.
#ifndef SHOAL_TESTS_SUPPORT_SYSTEM_AGENT_PROCESS_H_
#define SHOAL_TESTS_SUPPORT_SYSTEM_AGENT_PROCESS_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/support/system/agent_stub.h"
#include "tests/support/system/command.h"

namespace shoal::testing {

struct AgentOptions {
  std::string name;                        // --host-name
  std::string directory;                   // made if absent; holds state/, run/, log
  std::string cgroup_base;                 // empty: none is writable
  std::string program;                     // empty: the shoald under test
  std::vector<int> namespaces;             // descriptors of those that it enters
  std::vector<std::string> flags;          // behind those that every agent gets
  std::map<std::string, std::string> env;  // on top of PATH and HOME
};

class AgentProcess {
 public:
  explicit AgentProcess(AgentOptions options);
  ~AgentProcess();

  // Starts it and waits until it is ready; false and a failure with its log if it ended instead.
  bool Start();
  // Starts it where it is expected to refuse: waits for its end, returns its exit code and log.
  CommandResult StartRefused();

  bool IsRunning() const { return command_ && command_->IsRunning(); }
  pid_t pid() const { return command_ ? command_->pid() : -1; }
  // What it has audited so far.
  std::string Audit() const;
  void Signal(int signal_number) { command_->Signal(signal_number); }
  void Kill();                 // SIGKILL, reaped
  CommandResult Stop();        // SIGTERM, until it has ended
  CommandResult WaitForEnd();  // until it ends by itself

  std::string socket() const { return options_.directory + "/run/shoald.sock"; }
  std::string state_dir() const { return options_.directory + "/state"; }
  std::string run_dir() const { return options_.directory + "/run"; }
  std::string target() const { return "unix:" + socket(); }  // for -H
  const std::string& name() const { return options_.name; }
  std::string Log() const;
  AgentStub& stub();
  AgentOptions& options() { return options_; }  // for the next Start
  const AgentOptions& options() const { return options_; }

  // The command line that Start uses, without --ready-fd.
  std::vector<std::string> Arguments() const;
  std::map<std::string, std::string> Environment() const;

 private:
  AgentOptions options_;
  std::unique_ptr<RunningCommand> command_;
  std::unique_ptr<AgentStub> stub_;
};

}  // namespace shoal::testing

#endif  // SHOAL_TESTS_SUPPORT_SYSTEM_AGENT_PROCESS_H_
