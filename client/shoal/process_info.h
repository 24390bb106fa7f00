// The identity of this process, and of the process that started it.
//
// Ownership:     a value.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
#ifndef SHOAL_CLIENT_SHOAL_PROCESS_INFO_H_
#define SHOAL_CLIENT_SHOAL_PROCESS_INFO_H_

#include <optional>
#include <string>

namespace shoal {

class ProcessInfo {
 public:
  ProcessInfo() = default;
  ProcessInfo(std::string name, int pid, std::string host, std::string id, bool daemon);

  // "MainProcess" for a program that was not started by this library.
  const std::string& name() const { return name_; }
  int pid() const { return pid_; }
  // As its agent calls it.
  const std::string& host() const { return host_; }
  // Given by the agent; empty for a process that no agent started.
  const std::string& id() const { return id_; }
  bool daemon() const { return daemon_; }

 private:
  std::string name_;
  int pid_ = 0;
  std::string host_;
  std::string id_;
  bool daemon_ = false;
};

// This process. What Init() has found out; before that, "MainProcess".
const ProcessInfo& CurrentProcess();

// The process that started this one; nothing in a MainProcess.
const std::optional<ProcessInfo>& ParentProcess();

namespace internal {

// True in a process whose function or Run() the library runs.
bool IsChild();

// Init() was called, and found this. Once, and again in a process that was forked, while it has a
// single thread.
void BecomeMain();
void BecomeChild(ProcessInfo parent, bool daemon);
bool IsInitialized();

// The next number for a default name: 1, 2, …; in a child first 0, for its own Process object.
int NextProcessNumber();
// "Process-3" of a `kind` "Process"; in a child "<its name>.3".
std::string DefaultName(const std::string& kind, int number);

}  // namespace internal
}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_PROCESS_INFO_H_
