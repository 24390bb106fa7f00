// Follows the state of many processes of one host by one Watch for each session, and one for those that
// have none, and tells each process's own observer.
//
//   1. Follow() for the first process of a session opens a Watch of it; that of those without a
//      session names them, and is asked anew for each that comes                     Open, Ask
//   2. what is there, then each change, goes to the observer of its process; what has ended before
//      Follow() is kept for it                                                        OnEvent
//   3. a process that the Watch should have told of and has not (it was deleted before; it left the
//      session; the host has a new agent) is waited for by a call of its own          AskAlone
//   4. an observer is let go when nothing more can happen to its process, when that is deleted, or
//      when the stream ends for good: the host was given up                           OnEnd
// The stream stays until the session is forgotten, so that a program whose processes come and go
// reads no second snapshot; that of those without one, until none of them is followed.
//
// Ownership:     the Host's Rep; shared with the streams until their last callback.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        go to StateObserver::OnLost().
#ifndef SHOAL_CLIENT_SHOAL_HOST_SHARED_STATE_H_
#define SHOAL_CLIENT_SHOAL_HOST_SHARED_STATE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "common/mutex.h"
#include "shoal/host.h"
#include "shoal/link/link.h"

namespace shoal {

// Hears of one process. Calls may come from several threads at once, and in any order: the revision
// of the process says which is newer. None may block.
//
// Ownership: shared by its owner and the SharedState, until OnLost() or the end.
class StateObserver {
 public:
  virtual ~StateObserver() = default;
  virtual void OnState(const v1::Process& process) = 0;
  // Nothing more will be told. OK: it was deleted, so it has ended.
  virtual void OnLost(const absl::Status& status) = 0;
};

class SharedState final : public std::enable_shared_from_this<SharedState> {
 public:
  explicit SharedState(Link* link) : link_(link) {}

  // REQUIRES: the process was started, and is not followed.
  void Follow(const v1::Process& process, std::shared_ptr<StateObserver> observer);
  // Whether a stream of the session is there, so that Follow() costs no call.
  bool IsOpen(const std::string& session_id) const;
  // The session is over: ends its stream.
  void Forget(const std::string& session_id);

  // Counts those who wait for one process each by calls of their own, while it lives.
  class Waiting {
   public:
    explicit Waiting(SharedState* state);
    ~Waiting();
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    // So many that a stream is cheaper.
    bool are_many() const { return are_many_; }

   private:
    SharedState* const state_;
    bool are_many_ = false;
  };

 private:
  struct Member;
  struct Session;
  // To be told once mu_ is released.
  struct News;
  using Members = std::map<std::string, Member>;

  std::shared_ptr<Session> Open(const std::string& id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Ask(Session* session, v1::WatchRequest* request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LetGo(Session* session) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnEvent(Session* session, const v1::WatchResponse& event);
  void Upsert(Session* session, const v1::Process& process, News* news)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Delete(Session* session, const std::string& id, News* news)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FindMissing(Session* session, bool after_snapshot, News* news)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnReset(Session* session) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnEnd(const std::shared_ptr<Session>& session, const absl::Status& status);
  void AskAlone(const std::string& id, std::shared_ptr<StateObserver> observer);

  Link* const link_;
  mutable Mutex mu_;  // before those of the streams
  std::map<std::string, std::shared_ptr<Session>> sessions_ ABSL_GUARDED_BY(mu_);
  int waiting_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_HOST_SHARED_STATE_H_
