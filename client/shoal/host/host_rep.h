// What a Host is made of: its link, what is known of the agent behind it, and what its processes
// share.
//
// Ownership:     the Host's. Calls hold plain pointers to it; it is destroyed when there is none,
//                never on a thread of gRPC.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_CLIENT_SHOAL_HOST_HOST_REP_H_
#define SHOAL_CLIENT_SHOAL_HOST_HOST_REP_H_

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "common/mutex.h"
#include "shoal/host.h"
#include "shoal/link/link.h"

namespace shoal {

class SharedOutput;
class SharedState;

struct Host::Rep {
  explicit Rep(std::shared_ptr<Link> host_link);

  AgentIdentity Identity() const;
  // The first identity stays.
  void Pin(const std::string& agent_id, const std::string& boot_id);

  // The tokens of the sessions of this program there, which go along with what it starts in them.
  void KeepToken(const std::string& session_id, const std::string& token);
  void ForgetToken(const std::string& session_id, const std::string& token);
  // Empty: it has none.
  std::string TokenOf(const std::string& session_id) const;

  // Constant after construction.
  const std::shared_ptr<Link> link;
  // Of the processes of this program: what is written to a terminal, which may stop, and the rest.
  const std::shared_ptr<SharedOutput> forwarded_output;
  const std::shared_ptr<SharedOutput> told_output;
  const std::shared_ptr<SharedState> shared_state;

  mutable Mutex mu;
  AgentIdentity identity ABSL_GUARDED_BY(mu);
  std::map<std::string, std::string> tokens ABSL_GUARDED_BY(mu);  // by id of the session
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_HOST_HOST_REP_H_
