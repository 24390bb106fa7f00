// The session of a process that a command is attached to: kept alive when its client is gone, and what becomes of the
// process at the end of the command.
//
// Ownership:     the caller's; shares the host.
// Thread-safety: Begin() and Leave() on one thread.
// Blocking:      Begin() with `at_once` for a call; Leave() for two calls, at most 4 s.
// Errors:        Begin(): as Session::TakeOver().
#ifndef SHOAL_CLIENT_CLI_ATTACHED_SESSION_H_
#define SHOAL_CLIENT_CLI_ATTACHED_SESSION_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "shoal/host.h"
#include "shoal/process/caretaker.h"
#include "shoal/session.h"
#include "shoal/v1/process.pb.h"

namespace shoal::cli {

class AttachedSession {
 public:
  // `session_id`: empty: the process has none, and nothing of this does anything.
  AttachedSession(std::shared_ptr<Host> host, std::string session_id)
      : host_(std::move(host)), session_id_(std::move(session_id)) {}

  // `at_once`: taken over although its client may live; else when that is seen not to renew it. `on_news`: as
  // Caretaker says.
  absl::Status Begin(bool at_once, internal::Caretaker::OnNews on_news);

  // A line for the user: what becomes of the process now that this command no longer keeps its session; empty if there
  // is nothing to say. `keep`: it is made DETACHED.
  std::string Leave(const v1::Process& process, bool keep);
  // No longer kept alive here. Waits for a look at it that is under way, at most 2 s.
  void End();

 private:
  std::string TellFate() const;

  const std::shared_ptr<Host> host_;
  const std::string session_id_;
  std::unique_ptr<Session> session_;                // taken over at once
  std::unique_ptr<internal::Caretaker> caretaker_;  // null: none is needed
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_ATTACHED_SESSION_H_
