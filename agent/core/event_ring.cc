#include "agent/core/event_ring.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace shoal::agent {

int64_t EventRing::Add(const std::string& id, bool deleted) {
  events_.push_back({++revision_, id, deleted});
  if (events_.size() > capacity_) {
    floor_ = events_.front().revision;
    events_.pop_front();
  }
  return revision_;
}

absl::StatusOr<std::vector<EventRing::Event>> EventRing::Since(int64_t revision) const {
  if (revision < floor_ || revision > revision_) {
    return absl::OutOfRangeError(absl::StrCat("revision ", revision, " is not kept; the oldest is ",
                                              floor_, ", the newest ", revision_));
  }
  std::vector<Event> changes;
  absl::flat_hash_set<absl::string_view> seen;
  for (auto event = events_.rbegin(); event != events_.rend() && event->revision > revision;
       ++event) {
    if (seen.insert(event->id).second) changes.push_back(*event);
  }
  std::reverse(changes.begin(), changes.end());
  return changes;
}

}  // namespace shoal::agent
