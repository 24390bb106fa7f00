// Keeps the session of an attached process alive once its client no longer does.
//
// A client that renews is left alone: it is alive, or stopped on a host whose agent sees that. The session is looked at
// six times in a TTL; one that was not renewed for two thirds of it, twice what any client leaves between renewals, is
// taken over, in one step with the agent's own look at that time.
//
// Ownership:     the caller's; holds the Host and, once taken over, the Session. Destroyed, it renews no more: the
//                session lapses at its TTL unless another one renews it.
// Thread-safety: thread-safe.
// Blocking:      the constructor never blocks; the destructor waits for a call under way, at most 2 s.
// Errors:        told by on_news.
#ifndef SHOAL_CLIENT_SHOAL_PROCESS_CARETAKER_H_
#define SHOAL_CLIENT_SHOAL_PROCESS_CARETAKER_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "common/notification.h"
#include "shoal/session.h"

namespace shoal::internal {

class Caretaker {
 public:
  // OK: the session is ours now. Else why it will not be, or is no more. On a thread of this, or of the lease; must
  // not block, nor destroy this.
  using OnNews = std::function<void(const absl::Status&)>;

  Caretaker(std::shared_ptr<Host> host, std::string session_id, OnNews on_news);
  ~Caretaker();
  Caretaker(const Caretaker&) = delete;
  Caretaker& operator=(const Caretaker&) = delete;

  // Whether this program renews it.
  bool is_held() const;

 private:
  void Watch();
  // How long to wait for the next look; zero: there is none.
  absl::Duration Look();
  // False: the session may be another one's yet.
  bool TakeOver(absl::Duration unrenewed_for);

  const std::shared_ptr<Host> host_;
  const std::string session_id_;
  const OnNews on_news_;
  Notification over_;
  mutable Mutex mu_;
  std::unique_ptr<Session> session_ ABSL_GUARDED_BY(mu_);  // null: another one's
  std::thread thread_;                                     // last: it uses the others
};

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_PROCESS_CARETAKER_H_
