// Shims without processes: a test says what they do. They outlive the supervisor, as shims do.
//
// Ownership:     by the test. Events go to one supervisor: Disconnect() when it dies; what
//                happens then is only in the records, until the next one recovers.
// Thread-safety: one thread.
#ifndef SHOAL_TESTS_SUPPORT_FAKE_SHIMS_H_
#define SHOAL_TESTS_SUPPORT_FAKE_SHIMS_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "agent/core/ports/fork_offers.h"
#include "agent/core/ports/process_trees.h"
#include "agent/core/ports/programs.h"
#include "agent/core/ports/shim_slots.h"
#include "tests/support/crash_point.h"
#include "tests/support/fake_clock.h"

namespace shoal::agent {

class FakeShims final : public ShimSlots, public ForkOffers, public Programs, public ProcessTrees {
 public:
  struct Slot {
    std::string id;
    ShimStart start;
    record::AgentHalf agent{};
    record::ShimHalf shim{};
    bool written = false;  // the shim has written its half
    bool locked = true;
    bool damaged = false;
    uint32_t unreadable_version = 0;  // 0: it can be read
    std::optional<ForkFailure> refused;
    bool forked = false;  // as reported by its parent
    int wakes = 0;
  };
  struct SentSignal {
    std::string id;
    int signal;
    SignalScope scope;
  };

  FakeShims(FakeClock* clock, CrashPoint* crash) : clock_(clock), crash_(crash) {}

  // What shims do. Each is reported unless there is no listener; `id` must have a slot.
  void Started(const std::string& id, int pid = 0);  // 0: the next number
  void StartFailed(const std::string& id, record::Stage stage, int error_number);
  void Exited(const std::string& id, int code);
  void Signaled(const std::string& id, int signal);
  void OutputComplete(const std::string& id);
  void Empty(const std::string& id);
  void Final(const std::string& id);          // and the shim's own exit
  void End(const std::string& id, int code);  // from Exited to Final in one report
  void Write(const std::string& id, int stream, int64_t bytes);
  // Feeds up to `most` bytes of what the input holds, or takes so many of what was fed.
  void Feed(const std::string& id, int64_t most = INT64_MAX);
  void Take(const std::string& id, int64_t most = INT64_MAX);
  void CloseInput(const std::string& id) { Set(id, record::kInputClosed); }
  void Set(const std::string& id, uint32_t flags);
  // Begins the end that was asked for, as a shim that was told does.
  void BeginEnd(const std::string& id);
  void Die(const std::string& id);  // killed
  void Damage(const std::string& id);
  // The parent of a fork says that it did not, or broke off before it had.
  void RefuseFork(const std::string& id, ForkFailure failure);
  // A process that runs offers itself to be forked, and takes that back.
  void Offer(const std::string& id);
  void Withdraw(const std::string& id);
  ForkParent ParentOf(const std::string& id);
  int StartAll();  // every shim whose program has not started
  void Overflow();
  void Disconnect();
  // The host was rebooted: no slot is left.
  void Reboot() {
    slots_.clear();
    by_id_.clear();
  }

  // What the next starts answer; OK ones may stand between.
  void FailStart(absl::Status status) { start_failures_.push_back(std::move(status)); }
  // Answers AwaitEmptyTree and EndLostTree.
  void FinishLostTree(const std::string& id, absl::Status status);

  bool HasSlot(const std::string& id) const { return SlotNumberOf(id) != 0; }
  Slot& SlotOf(const std::string& id);
  const std::map<int, Slot>& slots() const { return slots_; }
  int StartsOf(const std::string& id) const;
  const std::vector<ShimStart>& starts() const { return starts_; }
  const std::vector<SentSignal>& signals() const { return signals_; }
  bool IsLostTreePending(const std::string& id) const { return lost_trees_.contains(id); }
  bool IsTreeAwaited(const std::string& id) const { return awaited_trees_.contains(id); }

  std::map<std::string, std::vector<int>> members;
  absl::Status members_status;  // not OK: they cannot be read
  std::map<std::string, std::vector<int>> orphans;
  std::set<std::string> out_of_memory;
  bool were_lost = false;
  std::map<std::string, std::string> versions;  // of programs, by argv[0]; "": there is none
  int programs_looked_at = 0;
  std::vector<std::pair<ForkParent, absl::Status>> answers;

  absl::StatusOr<int> Start(const ShimStart& start) override;
  void Tell(int slot, const std::string& id,
            absl::AnyInvocable<void(record::AgentHalf&) const> change, bool wake) override;
  void AnswerOffer(const ForkParent& parent, const absl::Status& welcome) override {
    answers.emplace_back(parent, welcome);
  }
  void SetOfferEvents(ForkOfferEvents* events) override { offer_events_ = events; }
  absl::StatusOr<TemplateProgram> FindProgram(const Spec& spec) override;
  std::string Explain(const Spec& /*spec*/, record::Stage /*stage*/, int /*error*/) override {
    return "";
  }
  ShimView Look(int slot, const std::string& id) override;
  std::vector<std::pair<int, std::string>> Recover() override;
  bool WereLost() const override { return were_lost; }
  void Free(int slot, const std::string& id) override;
  void EndLostTree(const std::string& id, absl::AnyInvocable<void(absl::Status)> done) override;
  void AwaitEmptyTree(const std::string& id, absl::AnyInvocable<void(absl::Status)> done) override;
  absl::Status Signal(const ProcessEntry& process, int signal, SignalScope scope) override;
  bool WasOutOfMemory(const std::string& id) override { return out_of_memory.contains(id); }
  std::vector<Survivor> Describe(const std::vector<int>& pids) override;
  absl::StatusOr<std::vector<int>> Members(const ProcessEntry& process) override {
    if (!members_status.ok()) return members_status;
    return members[process.id];
  }
  std::vector<int> Orphans(const ProcessEntry& process) override { return orphans[process.id]; }
  void SetShimEvents(ShimEvents* events) override { shim_events_ = events; }

 private:
  int SlotNumberOf(const std::string& id) const;
  int FreeNumber() const;  // the lowest
  // The same with variables that outlive the call.
  ShimStart KeepEnv(ShimStart start);
  void Report(const std::string& id);
  void Death(const std::string& id);
  int64_t Now() const { return absl::ToUnixNanos(clock_->Now()); }

  FakeClock* const clock_;
  CrashPoint* const crash_;
  std::map<int, Slot> slots_;
  absl::flat_hash_map<std::string, std::pair<const int, Slot>*> by_id_;  // in slots_
  std::deque<absl::Status> start_failures_;
  std::vector<ShimStart> starts_;
  std::deque<std::string> envs_;  // that of all starts
  std::vector<SentSignal> signals_;
  std::map<std::string, absl::AnyInvocable<void(absl::Status)>> lost_trees_;
  std::map<std::string, absl::AnyInvocable<void(absl::Status)>> awaited_trees_;
  int last_pid_ = 1000;

  ShimEvents* shim_events_ = nullptr;
  ForkOfferEvents* offer_events_ = nullptr;
};

// For matchers, some of which are made of strings that do not last.
inline std::vector<std::string> EnvOf(const ShimStart& start) {
  return {start.env.begin(), start.env.end()};
}

}  // namespace shoal::agent

#endif  // SHOAL_TESTS_SUPPORT_FAKE_SHIMS_H_
