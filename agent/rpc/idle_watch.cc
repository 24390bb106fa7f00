#include "agent/rpc/idle_watch.h"

#include <algorithm>
#include <utility>

namespace shoal::agent {

IdleWatch::IdleWatch(const Edge* edge, absl::Duration span, absl::AnyInvocable<void()> on_idle)
    : edge_(edge),
      permit_(
          Authorize({CallerKind::kAgent, "shoald", Evidence::kNone}, Verb::kWatch, Target::Host())
              .value()),
      span_(span),
      on_idle_(std::move(on_idle)) {
  Selector every;
  every.all = true;
  edge_->supervisor->observers(permit_).Follow(this, every);
  Touch();
  Arm(span_);
}

IdleWatch::~IdleWatch() {
  edge_->loop->Cancel(timer_);
  edge_->supervisor->observers(permit_).Remove(this);
}

void IdleWatch::OnChanged(const ProcessEntry&) { Touch(); }
void IdleWatch::OnDeleted(const std::string&, int64_t) {}
void IdleWatch::OnOutput(const ProcessEntry&) {}
void IdleWatch::OnSessionOver(const std::string&) { Touch(); }
void IdleWatch::OnTurnEnd() {}

void IdleWatch::Touch() { last_busy_ = edge_->clock->BootTime(); }

bool IdleWatch::IsBusy() const {
  // Templates end with this agent, and those that are not used any more before it.
  return edge_->supervisor->live_processes() > 0 ||
         !edge_->supervisor->Templates(permit_).empty() ||
         !edge_->supervisor->Sessions(permit_).empty() || edge_->calls->count() > 0 ||
         edge_->callers->HasUnixConnections();
}

void IdleWatch::Arm(absl::Duration delay) {
  timer_ = edge_->loop->After(delay, [this] { OnDue(); });
}

void IdleWatch::OnDue() {
  // Calls that came and went since the last look count as of now: it may end up to a span late.
  bool had_calls = std::exchange(calls_seen_, edge_->calls->total()) != edge_->calls->total();
  if (had_calls || IsBusy()) Touch();
  absl::Duration left = span_ - (edge_->clock->BootTime() - last_busy_);
  if (left > absl::ZeroDuration()) return Arm(left);
  on_idle_();
}

}  // namespace shoal::agent
