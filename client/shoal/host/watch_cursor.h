// How far one Watch has come: where its next attempt begins, and whether that is with a snapshot.
//
// Ownership:     a value, part of one reader.
// Thread-safety: one caller at a time.
// Blocking:      never blocks.
// Errors:        OUT_OF_RANGE of an attempt is for Recover(); all others are the reader's.
#ifndef SHOAL_CLIENT_SHOAL_HOST_WATCH_CURSOR_H_
#define SHOAL_CLIENT_SHOAL_HOST_WATCH_CURSOR_H_

#include <algorithm>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal {

class WatchCursor {
 public:
  // `from_revision`: 0, or the last revision that was seen before.
  explicit WatchCursor(int64_t from_revision = 0)
      : revision_(from_revision), is_synced_(from_revision != 0) {}

  // Before each attempt. True: a snapshot begins, and not for the first time, so that what is not
  // in it is gone.
  bool Prepare(v1::WatchRequest* request) {
    bool is_reset = !std::exchange(is_first_, false) && !is_synced_;
    if (!is_synced_) revision_ = 0;  // a snapshot that broke off in the middle is taken again
    request->set_from_revision(revision_);
    return is_reset;
  }

  void Take(const v1::WatchResponse& event) {
    if (event.has_synced()) is_synced_ = true;
    if (is_synced_) revision_ = std::max(revision_, event.revision());
  }

  // True: the agent does not keep events that old, and the next attempt begins with a snapshot.
  bool Recover(absl::StatusCode code) {
    if (code != absl::StatusCode::kOutOfRange) return false;
    return std::exchange(is_synced_, false);
  }

  // The snapshot is complete.
  bool is_synced() const { return is_synced_; }
  // Every change up to this one was told. REQUIRES: is_synced().
  int64_t revision() const { return revision_; }

 private:
  int64_t revision_;
  bool is_synced_;
  bool is_first_ = true;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_HOST_WATCH_CURSOR_H_
