// Which process may start now: in the order in which they were added, a few in a turn, each once its
// files are in their places.
//
// Ownership:     owned by the supervisor; does not own the processes.
// Thread-safety: loop thread only.
// Blocking:      as the starters, for at most kStartsPerTurn processes at once.
// Errors:        none returned; files that cannot be placed are the start failure of their process.
// Story:         Add → StartSome: up to kStartsPerTurn, the rest in later turns. One with files has
//                them placed first, by another thread (PlaceFiles), and comes into the queue again
//                → its starter starts it.
#ifndef SHOAL_AGENT_CORE_START_QUEUE_H_
#define SHOAL_AGENT_CORE_START_QUEUE_H_

#include <deque>
#include <string>
#include <vector>

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
  void Add(const std::vector<Item>& items);

 private:
  void StartSome();
  void PlaceFiles(ProcessEntry* process, Starter* starter);

  Core* const core_;
  ProcessFiles* const files_;
  std::deque<Item> queue_;
  bool start_scheduled_ = false;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_START_QUEUE_H_
