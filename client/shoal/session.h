// A lease on one agent that owns processes: while it is kept alive they may live.
//
// It is renewed every third of its TTL by one thread of the library that serves all sessions and
// does nothing else, so that neither a blocked callback nor a busy program lets it lapse. Bound to
// a token, not to a connection: a broken one, or a restarted agent, does no harm within the TTL.
//
// Ownership:     the caller's; holds its Host. The destructor abandons: the lease then lapses at
//                the TTL.
// Thread-safety: thread-safe.
// Blocking:      TakeOver(), and Open() and Close() without a Done<>, wait for the agent; the rest
//                never blocks.
#ifndef SHOAL_CLIENT_SHOAL_SESSION_H_
#define SHOAL_CLIENT_SHOAL_SESSION_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "shoal/call.h"
#include "shoal/host.h"
#include "shoal/host_list.h"

namespace shoal {

// How long what this program starts outlives its silence, for sessions that are opened from now on
// without a TTL of their own; 1 s … 24 h. Without a call, or after zero: 15 s; an hour while a debugger traces this
// program, or with SHOAL_DEBUG=1 in its environment, as a program at a breakpoint renews nothing.
// The agent of this machine sees by itself that a program is stopped, and then ends nothing; nor is a TTL waited for
// there when a program ends that is itself a process of Shoal. Other hosts know of neither, and a library starts no
// program that could tell them: there a process of Shoal has 5 s, as `shoal run` has inside one.
void SetSessionTtl(absl::Duration ttl);
absl::Duration DefaultSessionTtl(const HostAddress& host);

struct SessionOptions {
  // For people, such as "run ./solve from ant".
  std::string name;
  absl::Duration ttl;  // zero: DefaultSessionTtl()
  // The session is over without a Close() of ours; the reason as the agent gave it. Silence is no
  // such reason: while the agent is down or cannot be reached, renewal goes on. Called at most
  // once, on the thread that renews; must not block, nor destroy the session.
  std::function<void(const absl::Status&)> on_lost;
  // The connection stands, and the host has not answered for so long (5 s at least); zero: it answers again. Silence
  // in which this program did not run itself does not count. On the same thread, under the same rules.
  std::function<void(absl::Duration silence)> on_silence;
};

// How a session is taken over that another client of the same owner holds, or held.
struct TakeoverOptions {
  // Only if it was not renewed for so long: FAILED_PRECONDITION, reason SESSION_IN_USE, else. Zero: in any case.
  absl::Duration unrenewed_for = absl::ZeroDuration();
  std::function<void(const absl::Status&)> on_lost{};  // as in SessionOptions
};

class Session {
 public:
  static absl::StatusOr<std::unique_ptr<Session>> Open(std::shared_ptr<Host> host,
                                                       SessionOptions options = {},
                                                       CallOptions call = {});
  static void Open(std::shared_ptr<Host> host, SessionOptions options, CallOptions call,
                   Done<std::unique_ptr<Session>> done);
  // From now on it is this program that keeps it alive; the one before is fenced: its renewals, its starts in it and
  // its Close are refused. NOT_FOUND: it is over.
  static absl::StatusOr<std::unique_ptr<Session>> TakeOver(std::shared_ptr<Host> host,
                                                           const std::string& session_id,
                                                           TakeoverOptions options = {},
                                                           CallOptions call = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const std::string& id() const;
  const std::string& token() const;
  absl::Duration ttl() const;
  const std::shared_ptr<Host>& host() const;

  struct CloseOptions {
    // Its ended processes were read: the agent may forget them and their output.
    bool forget = true;
    // With `forget`: so long state, exit and the end of stderr stay known there.
    absl::Duration forget_after = absl::ZeroDuration();
    // What outlives processes of DESCENDANT_POLICY_KEEP that have ended lives on, DETACHED; named in the answer.
    bool keep_descendants = false;
    absl::Duration grace = absl::InfiniteDuration();    // infinite: each spec's
    absl::Duration timeout = absl::InfiniteDuration();  // infinite: grace + 10 s
  };
  // Ends what lives in it and waits for the trees to be empty; survivors are named in the answer.
  // No longer kept alive, whatever the answer. A session that is over already is OK. UNAVAILABLE:
  // the host was not reached for a TTL; it ends the session by itself.
  absl::StatusOr<v1::CloseResponse> Close(CloseOptions options);
  absl::StatusOr<v1::CloseResponse> Close() { return Close(CloseOptions()); }
  void Close(CloseOptions options, Done<v1::CloseResponse> done);

  // No longer kept alive: the agent ends what it still owns when the TTL has passed. What was made
  // DETACHED by Update before lives on.
  void Abandon();

  // OK while the lease stands, as far as is known here; UNAVAILABLE when no renewal succeeded for a
  // TTL; else why it is over.
  absl::Status status() const;
  // How long this program did not run since the last renewal, being stopped or on a machine that
  // slept; zero if it did run.
  absl::Duration pause() const;

 private:
  struct Rep;
  explicit Session(std::shared_ptr<Rep> rep);

  // Shared with the thread that renews it.
  const std::shared_ptr<Rep> rep_;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_SESSION_H_
