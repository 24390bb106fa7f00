// Merges what several hosts send, each in order of time, into one order; knows nothing of what the items are.
//
// Nothing is given out while a source that may still send something older has sent nothing: the sources have to be read
// with a bound of their own each, as EventQueue has it.
//
// Ownership:     owns what waits.
// Thread-safety: one caller at a time.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_CLIENT_CLI_LOG_MERGE_H_
#define SHOAL_CLIENT_CLI_LOG_MERGE_H_

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace shoal::cli {

template <typename T>
class LogMerge {
 public:
  // `leads`: how far the clock of each source is ahead; as many as there are sources.
  explicit LogMerge(const std::vector<absl::Duration>& leads) {
    for (absl::Duration lead : leads) sources_.push_back({lead, {}});
  }

  // InfinitePast: right behind what the source has sent before.
  void Put(size_t source, absl::Time time, T item) {
    sources_[source].items.emplace_back(time - sources_[source].lead, std::move(item));
  }
  // Nothing is waited for from this source, for the time being or for good.
  void SetAway(size_t source, bool is_away) { sources_[source].is_away = is_away; }

  // The oldest item. nullopt: an older one may come, or there is none.
  std::optional<T> Take() {
    Source* oldest = nullptr;
    for (Source& source : sources_) {
      if (source.items.empty() && !source.is_away) return std::nullopt;
      if (source.items.empty()) continue;
      const bool is_older =
          oldest == nullptr || source.items.front().first < oldest->items.front().first;
      if (is_older) oldest = &source;
    }
    if (oldest == nullptr) return std::nullopt;
    T item = std::move(oldest->items.front().second);
    oldest->items.pop_front();
    return item;
  }

 private:
  struct Source {
    absl::Duration lead;
    std::deque<std::pair<absl::Time, T>> items;
    bool is_away = false;
  };
  std::vector<Source> sources_;
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_LOG_MERGE_H_
