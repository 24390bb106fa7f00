// Bytes on their way to the inputs of processes, each at its own speed, by one StreamInput for each.
//
//   Add, AddEmpty → Put (again and again) → Finish → AwaitPassed
//
// A host has so many calls of this at once and no more. While others wait for their turn, a reader that has all that was
// put gives its own up; so does, at PassTurns(), one that takes nothing. Where an input is kept, it goes on.
//
// What the slowest has not got is held; AwaitRoom() is for the one that puts. A process that closes its input, or
// ends, is left out from then on. Over a broken connection, and behind an agent that was killed, a stream goes on
// where the input is kept.
//
// Ownership:     shared with the calls, which may outlive the rest; shares the hosts.
// Thread-safety: thread-safe; Put() and Finish() on one thread at a time.
// Blocking:      AwaitRoom(), AwaitPassed(), and Stop() until the streams have ended; the rest never blocks.
// Errors:        to `on_left`, on any thread.
#ifndef SHOAL_CLIENT_SHOAL_HOST_INPUT_FEED_H_
#define SHOAL_CLIENT_SHOAL_HOST_INPUT_FEED_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/mutex.h"
#include "shoal/host.h"
#include "shoal/host/input_turns.h"

namespace shoal {

class InputFeed : public std::enable_shared_from_this<InputFeed> {
 public:
  // Good for one Put().
  static constexpr size_t kPiece = size_t{256} << 10;

  // `rank` gets nothing more: OK: it has all; else why: INPUT_CLOSED, NOT_FOUND: it reads no more. `is_last`: no other reads.
  using OnLeft = std::function<void(int rank, const absl::Status& reason, bool is_last)>;

  // `writer`: as agents know this one. `patience`: how long a connection may be broken.
  InputFeed(OnLeft on_left, std::string writer, absl::Duration patience);
  // REQUIRES: Stop().
  ~InputFeed() = default;

  // The process gets all that is put, from `offset` of its input on; or nothing, and sees the end at once.
  void Add(int rank, std::shared_ptr<Host> host, std::string process_id, int64_t offset);
  void AddEmpty(int rank, std::shared_ptr<Host> host, std::string process_id);
  // Every process that will be there is. True: none reads.
  bool Complete();

  void Put(std::string bytes);
  // Nothing more is put; `ends`: the inputs end behind it.
  void Finish(bool ends);
  // Waits until there is room, no process reads any more, or it was stopped; false: it takes longer.
  bool AwaitRoom(absl::Duration timeout);
  // What is put goes nowhere.
  bool IsUnread() const;
  // The caller calls this again and again while something is on its way to several readers. It tries a reader again
  // that an agent had no room for; where no caller has called it, such a reader leaves the feed with that error.
  void PassTurns();
  // All that was put, and the end, is kept by the hosts of those that read, or it was stopped; false: not within
  // `timeout`.
  bool AwaitPassed(absl::Duration timeout);
  // How much of what was put every reader's host keeps.
  int64_t passed() const;
  void Stop();

 private:
  struct Reader {
    int rank = 0;
    std::shared_ptr<Host> host;
    std::string process_id;
    int64_t begin = 0;      // of what is put, in its input
    bool is_empty = false;  // sees the end at once
    int64_t sent = 0;       // on the stream, as kept counted from where what is put begins
    int64_t kept = 0;       // by the host
    bool is_named = false;  // to the attempt under way
    bool is_end_sent = false;
    bool is_begun = false;     // there is a stream, or soon, or it waits for its turn
    int round = 0;             // of its streams; another one is none of this
    bool is_yielding = false;  // the stream is being ended for others
    int64_t kept_before = -1;  // at the last PassTurns() of its stream
    bool is_over = false;
    std::shared_ptr<Subscription> stream = nullptr;
  };
  using ReaderPtr = std::shared_ptr<Reader>;

  ReaderPtr AddReader(Reader reader);
  bool IsUnreadLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WakeAll();
  void Wake(const ReaderPtr& reader);
  void Begin(const ReaderPtr& reader);
  bool MayGoOn(const ReaderPtr& reader, const absl::Status& status)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void BeginNext(const Host* host);
  Supply Next(Reader* reader, v1::StreamInputRequest* request);
  void Append(int64_t from, int64_t size, std::string* to) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnPosition(const ReaderPtr& reader, const v1::InputPosition& position);
  void OnStreamEnd(const ReaderPtr& reader, const absl::Status& status);
  bool HasMore(const Reader& reader) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SendEnd(const ReaderPtr& reader);
  void DropPassed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Leave(const ReaderPtr& reader, const absl::Status& reason);

  const OnLeft on_left_;
  const std::string writer_;
  const absl::Duration patience_;

  mutable Mutex mu_;
  std::vector<ReaderPtr> readers_ ABSL_GUARDED_BY(mu_);
  InputTurns<Host, ReaderPtr> turns_ ABSL_GUARDED_BY(mu_);
  bool are_turns_passed_ ABSL_GUARDED_BY(mu_) = false;
  // A stream that has ended is destroyed by PassTurns() or Stop(), never by its own callback.
  std::vector<std::shared_ptr<Subscription>> ended_ ABSL_GUARDED_BY(mu_);
  std::deque<std::string> held_ ABSL_GUARDED_BY(mu_);  // from begin_ on
  int64_t begin_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t end_ ABSL_GUARDED_BY(mu_) = 0;
  bool has_all_ ABSL_GUARDED_BY(mu_) = false;   // nothing comes behind end_
  bool ends_ ABSL_GUARDED_BY(mu_) = false;      // nor do the inputs go on
  bool is_whole_ ABSL_GUARDED_BY(mu_) = false;  // every reader that will be there is
  bool is_stopped_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_HOST_INPUT_FEED_H_
