// Which process may start now: callers take turns, and within one its connections; of each a few are
// being started at a time, and each once its files are in their places.
//
// Ownership:     owned by the supervisor; does not own the processes.
// Thread-safety: loop thread only.
// Blocking:      as the starters, for kSlice of Slices and at most kStartsPerTurn processes at once.
// Errors:        none returned; files that cannot be placed are the start failure of their process.
// Story:         Add → StartSome: some, the rest in later turns or when one of those that are being
//                started has (OnStartSettled). One with files has them placed first, by another thread
//                (PlaceFiles), and comes into the queue again → its starter starts it.
// The bound:     of one caller SupervisorOptions::starts_at_once shims are being started at a time, so
//                that a caller that comes along finds cores that are soon free (for forks their parent
//                is the bound); two processes, forks or not, while another waits, or has had something
//                started just now: see HasOthers. One that takes longer than kPatience does not count.
#ifndef SHOAL_AGENT_CORE_START_QUEUE_H_
#define SHOAL_AGENT_CORE_START_QUEUE_H_

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "agent/core/core.h"
#include "agent/core/ports/process_files.h"
#include "agent/core/starter.h"

namespace shoal::agent {

class StartQueue {
 public:
  struct Item {
    std::string id;
    Starter* starter = nullptr;
    bool has_files = false;  // they are in their places
  };

  StartQueue(Core* core, ProcessFiles* files) : core_(core), files_(files) {}

  // Processes whose intents are durable. One whose end was asked for meanwhile, or that was deleted,
  // is passed over.
  void Add(const Caller& caller, const std::vector<Item>& items);

  // A start is known to have succeeded or failed: there is room for another.
  void OnStartSettled() { StartSoon(); }

  static constexpr size_t kStartingBesideOthers = 2;
  // Another caller than the owner waits for a start, or has had one just now.
  bool HasOthers(const std::string& owner) const;

 private:
  using Connection = std::pair<std::string, std::deque<Item>>;
  struct Share {
    std::deque<Connection> connections;  // that have items, the next one first
    std::vector<std::pair<std::string, absl::Duration>> starting;  // ids, and since when
    size_t placing = 0;                                            // whose files are being placed
    absl::Duration last_start = -absl::InfiniteDuration();
  };

  void StartSome();
  void StartSoon();
  void ForgetIdle();
  bool StartNext();
  bool HasRoom(const std::string& owner, Share* share);
  Item Take(Share* share);
  void Start(const Caller& caller, Item item, Share* share);
  void PlaceFiles(const Caller& caller, ProcessEntry* process, Starter* starter);

  Core* const core_;
  ProcessFiles* const files_;
  std::map<std::string, Share> shares_;  // by the name of the caller
  std::deque<std::string> turns_;        // callers that have items, the next one first
  bool start_scheduled_ = false;
  bool is_starting_ = false;  // StartSome is running
  Scheduler::TimerId look_again_ = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_START_QUEUE_H_
