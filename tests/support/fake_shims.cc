#include "tests/support/fake_shims.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "absl/status/status.h"

namespace shoal::agent {

int FakeShims::SlotNumberOf(const std::string& id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? 0 : found->second->first;
}

FakeShims::Slot& FakeShims::SlotOf(const std::string& id) {
  const auto found = by_id_.find(id);
  if (found != by_id_.end()) return found->second->second;
  ADD_FAILURE() << "no slot for " << id;
  return slots_[0];
}

int FakeShims::FreeNumber() const {
  if (slots_.empty() || slots_.rbegin()->first == static_cast<int>(slots_.size())) {
    return static_cast<int>(slots_.size()) + 1;
  }
  int number = 1;
  while (slots_.contains(number)) ++number;
  return number;
}

int FakeShims::StartsOf(const std::string& id) const {
  return static_cast<int>(std::count_if(starts_.begin(), starts_.end(),
                                        [&](const ShimStart& start) { return start.id == id; }));
}

void FakeShims::Report(const std::string& id) {
  SlotOf(id).written = true;
  if (shim_events_ != nullptr) shim_events_->OnReport(SlotNumberOf(id));
}

void FakeShims::Death(const std::string& id) {
  const int number = SlotNumberOf(id);
  slots_[number].locked = false;
  if (shim_events_ != nullptr) shim_events_->OnDeath(number, id);
}

void FakeShims::Set(const std::string& id, uint32_t flags) {
  SlotOf(id).shim.flags |= flags;
  Report(id);
}

void FakeShims::Started(const std::string& id, int pid) {
  record::ShimHalf& shim = SlotOf(id).shim;
  shim.pid = pid != 0 ? pid : ++last_pid_;
  shim.start_ticks = 77;
  shim.started_ns = Now();
  Set(id, record::kStarted);
}

void FakeShims::StartFailed(const std::string& id, record::Stage stage, int error_number) {
  record::ShimHalf& shim = SlotOf(id).shim;
  shim.fail_stage = stage;
  shim.fail_errno = error_number;
  shim.empty_ns = Now();
  Set(id, record::kStartFailed | record::kOutputComplete | record::kEmpty);
  Final(id);
}

void FakeShims::Exited(const std::string& id, int code) {
  SlotOf(id).shim.wait_status = code << 8;
  SlotOf(id).shim.exited_ns = Now();
  Set(id, record::kExited);
}

void FakeShims::Signaled(const std::string& id, int signal) {
  SlotOf(id).shim.wait_status = signal;
  SlotOf(id).shim.exited_ns = Now();
  Set(id, record::kExited);
}

void FakeShims::OutputComplete(const std::string& id) { Set(id, record::kOutputComplete); }

void FakeShims::Empty(const std::string& id) {
  SlotOf(id).shim.empty_ns = Now();
  Set(id, record::kEmpty);
}

void FakeShims::Final(const std::string& id) {
  Set(id, record::kFinal);
  if (HasSlot(id)) Death(id);
}

void FakeShims::End(const std::string& id, int code) {
  record::ShimHalf& shim = SlotOf(id).shim;
  if ((shim.flags & record::kStarted) == 0) {
    shim.pid = ++last_pid_;
    shim.started_ns = Now();
    shim.flags |= record::kStarted;
  }
  if ((shim.flags & record::kExited) == 0) {
    shim.wait_status = code << 8;
    shim.exited_ns = Now();
  }
  shim.empty_ns = Now();
  shim.flags |= record::kExited | record::kOutputComplete | record::kEmpty;
  Final(id);
}

void FakeShims::Write(const std::string& id, int stream, int64_t bytes) {
  SlotOf(id).shim.streams[stream].end += bytes;
  Report(id);
}

void FakeShims::Feed(const std::string& id, int64_t most) {
  Slot& slot = SlotOf(id);
  slot.shim.input_fed += std::min(most, slot.agent.input_end - slot.shim.input_fed);
  const bool has_end = (slot.agent.flags & record::kInputEnded) != 0;
  if (has_end && slot.shim.input_fed == slot.agent.input_end) slot.shim.flags |= record::kInputDone;
  Report(id);
}

void FakeShims::Take(const std::string& id, int64_t most) {
  record::ShimHalf& shim = SlotOf(id).shim;
  shim.input_taken += std::min(most, shim.input_fed - shim.input_taken);
  Report(id);
}

void FakeShims::BeginEnd(const std::string& id) {
  Slot& slot = SlotOf(id);
  EXPECT_NE(slot.agent.terminate_serial, 0u) << "no end was asked for";
  slot.shim.terminate_serial = slot.agent.terminate_serial;
  if (slot.shim.end_began_ns == 0) {
    slot.shim.end_cause = slot.agent.terminate_cause;
    slot.shim.end_signal = slot.agent.terminate_signal;
    slot.shim.end_began_ns = Now();
  }
  Report(id);
}

void FakeShims::Die(const std::string& id) { Death(id); }

void FakeShims::Damage(const std::string& id) { SlotOf(id).damaged = true; }

void FakeShims::RefuseFork(const std::string& id, ForkFailure failure) {
  SlotOf(id).refused = std::move(failure);
  Death(id);
}

ForkParent FakeShims::ParentOf(const std::string& id) {
  const record::ShimHalf& shim = SlotOf(id).shim;
  return {.pid = shim.pid, .start_ticks = shim.start_ticks};
}

void FakeShims::Offer(const std::string& id) {
  if (offer_events_ != nullptr) offer_events_->OnOffer(ParentOf(id));
}

void FakeShims::Withdraw(const std::string& id) {
  if (offer_events_ != nullptr) offer_events_->OnWithdrawn(ParentOf(id));
}

absl::StatusOr<TemplateProgram> FakeShims::FindProgram(const Spec& spec) {
  ++programs_looked_at;
  const auto version = versions.find(spec.argv[0]);
  if (version != versions.end() && version->second.empty())
    return absl::NotFoundError("no program");
  return TemplateProgram{.key = spec.argv[0],
                         .version = version == versions.end() ? "1" : version->second,
                         .argv = {spec.argv[0]}};
}

int FakeShims::StartAll() {
  std::vector<std::string> ids;
  for (const auto& [number, slot] : slots_) {
    if (slot.locked && slot.shim.flags == 0) ids.push_back(slot.id);
  }
  for (const std::string& id : ids) Started(id);
  return static_cast<int>(ids.size());
}

void FakeShims::Overflow() {
  if (shim_events_ != nullptr) shim_events_->OnOverflow();
}

void FakeShims::Disconnect() {
  shim_events_ = nullptr;
  offer_events_ = nullptr;
  lost_trees_.clear();
  awaited_trees_.clear();
}

void FakeShims::FinishLostTree(const std::string& id, absl::Status status) {
  auto& asked = lost_trees_.contains(id) ? lost_trees_ : awaited_trees_;
  auto found = asked.find(id);
  ASSERT_NE(found, asked.end()) << "the tree of " << id << " was not asked for";
  absl::AnyInvocable<void(absl::Status)> done = std::move(found->second);
  asked.erase(found);
  done(std::move(status));
}

absl::StatusOr<int> FakeShims::Start(const ShimStart& start) {
  crash_->Step();
  if (!start_failures_.empty()) {
    absl::Status failure = std::move(start_failures_.front());
    start_failures_.pop_front();
    if (!failure.ok()) return failure;
  }
  EXPECT_FALSE(HasSlot(start.id)) << start.id << " was started twice";
  const int number = FreeNumber();
  const auto place = slots_.try_emplace(number).first;
  by_id_[start.id] = &*place;
  Slot& slot = place->second;
  slot.id = start.id;
  slot.start = KeepEnv(start);
  slot.agent = start.desired;
  starts_.push_back(slot.start);
  crash_->Step();
  return number;
}

ShimStart FakeShims::KeepEnv(ShimStart start) {
  for (absl::string_view& variable : start.env) variable = envs_.emplace_back(variable);
  return start;
}

void FakeShims::Tell(int slot, const std::string& id,
                     absl::AnyInvocable<void(record::AgentHalf&) const> change, bool wake) {
  crash_->Step();
  auto found = by_id_.find(id);
  if (found == by_id_.end() || found->second->first != slot) return;
  change(found->second->second.agent);
  if (wake) ++found->second->second.wakes;
  crash_->Step();
}

ShimView FakeShims::Look(int slot, const std::string& id) {
  ShimView view;
  auto found = by_id_.find(id);
  if (found == by_id_.end() || found->second->first != slot) return view;
  const Slot& seen = found->second->second;
  view.locked = seen.locked;
  view.damaged = seen.damaged;
  if (seen.unreadable_version != 0) {
    view.unreadable_version = seen.unreadable_version;
    return view;
  }
  view.agent = seen.agent;
  if (seen.written && !seen.damaged) view.shim = seen.shim;
  if (!seen.written) view.refused = seen.refused;
  view.forked = seen.forked;
  return view;
}

std::vector<std::pair<int, std::string>> FakeShims::Recover() {
  std::vector<std::pair<int, std::string>> used;
  for (const auto& [number, slot] : slots_) used.emplace_back(number, slot.id);
  return used;
}

void FakeShims::Free(int slot, const std::string& id) {
  crash_->Step();
  if (slot == 0) return;  // an intent without a slot; at most a cgroup is left of it
  auto found = slots_.find(slot);
  if (found == slots_.end() || found->second.id != id) {
    ADD_FAILURE() << "slot " << slot << " is not that of " << id;
    return;
  }
  slots_.erase(found);
  by_id_.erase(id);
  crash_->Step();
}

void FakeShims::EndLostTree(const std::string& id, absl::AnyInvocable<void(absl::Status)> done) {
  crash_->Step();
  lost_trees_[id] = std::move(done);
}

void FakeShims::AwaitEmptyTree(const std::string& id, absl::AnyInvocable<void(absl::Status)> done) {
  awaited_trees_[id] = std::move(done);
}

absl::Status FakeShims::Signal(const ProcessEntry& process, int signal, SignalScope scope) {
  crash_->Step();
  signals_.push_back({process.id, signal, scope});
  return absl::OkStatus();
}

std::vector<Survivor> FakeShims::Describe(const std::vector<int>& pids) {
  std::vector<Survivor> survivors;
  survivors.reserve(pids.size());
  for (int pid : pids) survivors.push_back({pid, "daemon", "nfs_wait"});
  return survivors;
}

}  // namespace shoal::agent
