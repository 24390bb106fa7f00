#include "agent/core/event_ring.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"

namespace shoal::agent {

int64_t EventRing::Add(const std::string& id, bool deleted) {
  Kept event{++revision_, {}, deleted};
  id.copy(event.id.data(), event.id.size());
  if (kept_.size() < capacity_) {
    kept_.push_back(event);
  } else {
    floor_ = kept_[next_].revision;
    kept_[next_] = event;
  }
  next_ = (next_ + 1) % capacity_;
  return revision_;
}

const EventRing::Kept& EventRing::Newest(size_t age) const {
  return kept_[(next_ + capacity_ - 1 - age) % capacity_];
}

absl::StatusOr<std::vector<EventRing::Event>> EventRing::Since(int64_t revision) const {
  if (revision < floor_ || revision > revision_) {
    return absl::OutOfRangeError(absl::StrCat("revision ", revision, " is not kept; the oldest is ",
                                              floor_, ", the newest ", revision_));
  }
  std::vector<Event> changes;
  absl::flat_hash_set<absl::string_view> seen;
  for (size_t age = 0; age < kept_.size() && Newest(age).revision > revision; ++age) {
    const Kept& event = Newest(age);
    if (!seen.insert(event.Id()).second) continue;
    changes.push_back({event.revision, std::string(event.Id()), event.deleted});
  }
  std::reverse(changes.begin(), changes.end());
  return changes;
}

}  // namespace shoal::agent
