#include "agent/os/paced_slots.h"

#include <algorithm>

namespace shoal::agent {

PacedSlots::~PacedSlots() {
  if (next_) loop_->Cancel(*next_);
}

void PacedSlots::Add(int slot) {
  if (is_waiting_.insert(slot).second) waiting_.push_back(slot);
}

void PacedSlots::Begin() {
  if (!next_) HandleSome();
}

// What is handled may be added again, and waits behind the others then.
void PacedSlots::HandleSome() {
  next_.reset();
  for (size_t i = std::min(pace_.at_once, waiting_.size()); i > 0; --i) {
    const int slot = waiting_.front();
    waiting_.pop_front();
    is_waiting_.erase(slot);
    handle_(slot);
  }
  if (waiting_.empty()) return;
  next_ = loop_->After(pace_.between, [this] { HandleSome(); });
}

}  // namespace shoal::agent
