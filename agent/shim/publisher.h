// When the shim's half is written and reported.
//
// Ownership:     a member of Shim; record and tree outlive it.
// Thread-safety: single-threaded process only.
// Blocking:      writes of one page on tmpfs; the first one after the start may move the shim to
//                another cgroup, which takes up to 16 ms.
// Errors:        none are seen: a full FIFO drops the report, see RecordSlot.
#ifndef SHOAL_AGENT_SHIM_PUBLISHER_H_
#define SHOAL_AGENT_SHIM_PUBLISHER_H_

#include <stdint.h>

#include "agent/record/record_layout.h"
#include "agent/shim/clock.h"
#include "agent/shim/failpoint.h"
#include "agent/shim/record_slot.h"
#include "agent/shim/tree.h"

namespace shoal::shim {

class Publisher {
 public:
  Publisher(RecordSlot* record, Tree* tree) : record_(record), tree_(tree) {}

  // Sets flags; the half is written at the end of this turn.
  void Changed(uint32_t flags = 0) {
    record_->shim().flags |= flags;
    changed_ = true;
  }
  // Only output positions changed: written 1 ms after the last report, or with the next change. What comes first
  // behind a few bytes of input is an answer to them: it is written at once.
  void Moved() {
    moved_ = true;
    if (awaits_answer_) changed_ = true;
    awaits_answer_ = false;
  }
  // Only the input was: written 1 ms later, or with the next report. At once it would hold up by that much what a
  // program answers to a keystroke.
  void Fed(int64_t now, int64_t bytes) {
    fed_at_ = Earlier(fed_at_, now);
    awaits_answer_ = bytes <= kMostOfQuestion;
  }
  bool has_changed() const { return changed_; }
  bool Has(uint32_t flags) const { return (record_->shim().flags & flags) != 0; }

  // When the half is to be written without a change; kNever if it need not.
  int64_t due_at() const {
    const int64_t fed = fed_at_ == kNever ? kNever : fed_at_ + kMillisecond;
    return Earlier(fed, moved_ ? published_at_ + kMillisecond : kNever);
  }
  // The end of a turn.
  void MaybePublish(int64_t now) {
    if (changed_ || now >= due_at()) PublishNow(now);
  }

  void PublishNow(int64_t now) {
    if (tree_->cgroup_refused()) record_->shim().flags |= record::kCgroupRefused;
    record_->Publish();
    published_at_ = now;
    changed_ = moved_ = false;
    fed_at_ = kNever;
    if (Has(record::kStarted)) Reach("started");
    if (Has(record::kExited)) Reach("exit-written");
    // Not earlier, since a migration takes its time; and what comes of it is said.
    if (Has(record::kStarted | record::kExited | record::kStartFailed)) tree_->LeaveCgroup();
    if (tree_->cgroup_refused() && !Has(record::kCgroupRefused)) PublishNow(now);
  }

 private:
  // A line. Of a long input not each step is reported.
  static constexpr int64_t kMostOfQuestion = 4096;

  RecordSlot* const record_;
  Tree* const tree_;
  bool changed_ = false;
  bool moved_ = false;
  bool awaits_answer_ = false;
  int64_t published_at_ = 0;
  int64_t fed_at_ = kNever;  // since when input was fed that was not reported
};

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_PUBLISHER_H_
