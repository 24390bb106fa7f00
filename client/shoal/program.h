// This program as the owner of processes: its session on each host, and its children.
//
// Ownership:     one for the program, never destroyed; ended by End(), which exit() calls.
// Thread-safety: thread-safe.
// Blocking:      SessionOn() opens a session at the first call for a host; End() joins.
#ifndef SHOAL_CLIENT_SHOAL_PROGRAM_H_
#define SHOAL_CLIENT_SHOAL_PROGRAM_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
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
  // Asks the agent what has become of it, unless it is known to have ended.
  virtual absl::Status Refresh() = 0;
  virtual v1::Process Info() const = 0;
};

class Program {
 public:
  static Program& Get();

  // The agent of this machine: see LocalAddress().
  absl::StatusOr<std::shared_ptr<Host>> LocalHost();
  // The id of the program's session there. FAILED_PRECONDITION: the program has ended.
  absl::StatusOr<std::string> SessionOn(const std::shared_ptr<Host>& host);

  void Add(std::shared_ptr<Child> child);
  void Remove(const Child* child);
  std::vector<std::shared_ptr<Child>> Children() const;

  // Joins, then closes every session, which ends the daemons. The first error, after all was done.
  // Once.
  absl::Status End();

 private:
  // A session that is open or about to be.
  struct Lease {
    bool is_opening = false;
    std::unique_ptr<Session> session;
  };

  Program() = default;
  static absl::Status CloseAll(const std::map<std::shared_ptr<Host>, Lease>& leases);
  bool IsUsable(const Lease& lease) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable absl::Mutex mu_;
  bool has_ended_ ABSL_GUARDED_BY(mu_) = false;
  std::shared_ptr<Host> local_host_ ABSL_GUARDED_BY(mu_);
  std::map<std::shared_ptr<Host>, Lease> leases_ ABSL_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<Child>> children_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_PROGRAM_H_
