// The last changes by revision, so that a watcher can go on where it stopped. Holds ids, not
// states: a watcher that comes late gets the current states. In one piece of memory: strings that
// live long among those of processes that go would keep their pages.
//
// Ownership:     owned by the ledger.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        OUT_OF_RANGE for a revision that is not kept.
#ifndef SHOAL_AGENT_CORE_EVENT_RING_H_
#define SHOAL_AGENT_CORE_EVENT_RING_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/ids.h"

namespace shoal::agent {

class EventRing {
 public:
  struct Event {
    int64_t revision;
    std::string id;
    bool deleted;
  };

  explicit EventRing(size_t capacity) : capacity_(capacity) {}
  EventRing(const EventRing&) = delete;
  EventRing& operator=(const EventRing&) = delete;

  // Revisions begin above `revision`; nothing before is kept.
  void StartAt(int64_t revision) { floor_ = revision_ = revision; }
  int64_t revision() const { return revision_; }

  // Adds a change; its revision.
  int64_t Add(const std::string& id, bool deleted);

  // Changes after `revision`, oldest first, the latest of each id only. OUT_OF_RANGE: older than
  // what is kept, or newer than what is.
  absl::StatusOr<std::vector<Event>> Since(int64_t revision) const;

 private:
  struct Kept {
    int64_t revision;
    std::array<char, kIdLength> id;
    bool deleted;

    absl::string_view Id() const { return {id.data(), id.size()}; }
  };
  // By age, the newest first.
  const Kept& Newest(size_t age) const;

  const size_t capacity_;
  int64_t revision_ = 0;
  int64_t floor_ = 0;       // events up to this one are gone
  std::vector<Kept> kept_;  // once it has capacity_, a ring
  size_t next_ = 0;         // where the next one goes
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_EVENT_RING_H_
