// This program as the owner of processes: its session on each host, and its children.
//
// Ownership:     one for the program, never destroyed; ended by End(), which exit() calls.
// Thread-safety: thread-safe.
// Blocking:      SessionOn() opens a session at the first call for a host; End() joins.
#ifndef SHOAL_CLIENT_SHOAL_PROCESS_PROGRAM_H_
#define SHOAL_CLIENT_SHOAL_PROCESS_PROGRAM_H_

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/mutex.h"
#include "shoal/host.h"
#include "shoal/session.h"

namespace shoal {

// A started process of this program.
class Child {
 public:
  virtual ~Child() = default;
  virtual bool IsJoinedAtEnd() const = 0;
  // Terminates without waiting.
  virtual absl::Status EndAtEnd() = 0;
  virtual absl::Status JoinAtEnd() = 0;
  // Nobody will join it, and JoinAtEnd() need not wait.
  virtual bool IsDone() const = 0;
  // Asks the agent what has become of it, unless it is known to have ended.
  virtual absl::Status Refresh() = 0;
  virtual v1::Process Info() const = 0;
};

class Program {
 public:
  static Program& Get();

  // The agent of this machine: see LocalAddress().
  absl::StatusOr<std::shared_ptr<Host>> LocalHost();
  // The id of the program's session there, another than `over`. FAILED_PRECONDITION: the program
  // has ended.
  absl::StatusOr<std::string> SessionOn(const std::shared_ptr<Host>& host,
                                        const std::string& over = "");

  // Lets go of those that are done, too, once there are many.
  void Add(std::shared_ptr<Child> child);
  void Remove(const Child* child);
  std::vector<std::shared_ptr<Child>> Children() const;

  // Joins, then closes every session, which ends the daemons. The first error, after all was done.
  // Once. Inside a callback it only closes. FAILED_PRECONDITION: this is a fork of the program.
  absl::Status End();

  // Closes every session, which ends all, and joins none. The first error, after all was done. From
  // here on End() waits for it, and the end of the program for the thread that calls this, which is
  // to call exit(). Once.
  absl::Status EndBySignal();

 private:
  static constexpr size_t kManyChildren = 64;

  // A session that is open or about to be.
  struct Lease {
    bool is_opening = false;
    std::unique_ptr<Session> session;
  };

  Program() = default;
  void LetGo();
  absl::Status FirstError() const;
  void EndAtExit();
  absl::Status EndInsideCallback();
  static absl::Status CloseAll(const std::map<std::shared_ptr<Host>, Lease>& leases);
  bool IsUsable(const Lease& lease) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  bool has_ended_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<std::thread::id> signal_thread_ ABSL_GUARDED_BY(mu_);  // that of EndBySignal()
  bool is_signal_done_ ABSL_GUARDED_BY(mu_) = false;
  std::shared_ptr<Host> local_host_ ABSL_GUARDED_BY(mu_);
  std::map<std::shared_ptr<Host>, Lease> leases_ ABSL_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<Child>> children_ ABSL_GUARDED_BY(mu_);
  size_t most_children_ ABSL_GUARDED_BY(mu_) = kManyChildren;  // until the next LetGo()
  absl::Status first_error_ ABSL_GUARDED_BY(mu_);              // of those that were let go
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_PROCESS_PROGRAM_H_
