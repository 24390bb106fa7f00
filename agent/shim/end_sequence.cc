#include "agent/shim/end_sequence.h"

#include <signal.h>

#include "agent/shim/failpoint.h"
#include "agent/shim/proc.h"

namespace shoal::shim {
namespace {

using record::EndCause;

constexpr int64_t kShortestPause = kMillisecond;
constexpr int64_t kLongestPause = 20 * kMillisecond;
// While an agent holds its lock past the dead-man time; or a stranger is in the cgroup of a process
// that is not being ended.
constexpr int64_t kIdlePause = kSecond;
constexpr int64_t kUnkillableAfter = 2 * kSecond;
constexpr int64_t kUnkillablePause = 100 * kMillisecond;
constexpr int kRoundsAtOnce = 64;
// What is left of a tree so long after the exit is worth a word.
constexpr int64_t kNoteAfter = kSecond;

}  // namespace

EndSequence::EndSequence(RecordSlot* record, Tree* tree, Subreaper* children, Publisher* publisher)
    : record_(record),
      tree_(tree),
      children_(children),
      publisher_(publisher),
      half_(record->shim()),
      wish_(record->agent()) {}

void EndSequence::BeginLimit() {
  if (wish_.limit_from_exec_ns > 0) limit_at_ = After(BootNow(), wish_.limit_from_exec_ns);
}

void EndSequence::OnExit(int64_t now) {
  if ((wish_.flags & record::kKeepDescendants) == 0) descendants_at_ = After(now, wish_.grace_ns);
  note_at_ = After(now, kNoteAfter);
}

void EndSequence::NoteDescendants() {
  note_at_ = kNever;
  int32_t pids[record::kMaxSurvivors];
  const int count = tree_->Survivors(pids, record::kMaxSurvivors);
  if (count == 0) return;
  half_.descendant_count = count;
  for (int i = 0; i < count && i < record::kMaxSurvivors; ++i) {
    half_.descendants[i].pid = pids[i];
    ReadCommand(pids[i], half_.descendants[i].command);
  }
  publisher_->Changed();
}

void EndSequence::OnReaped(int64_t now) {
  if (phase_ == Phase::kKilling) check_at_ = now;
}

int64_t EndSequence::deadline() const {
  if (IsEmpty() || half_.pid == 0) return kNever;
  if (phase_ == Phase::kAsked) return kill_at_;
  if (phase_ == Phase::kKilling) return kNever;
  int64_t deadline = Earlier(descendants_at_, limit_at_);
  if (wish_.time_limit_ns > 0) deadline = Earlier(deadline, wish_.time_limit_ns);
  if (wish_.dead_man_ns <= 0) return deadline;
  return Earlier(deadline,
                 wish_.dead_man_ns > dead_man_check_at_ ? wish_.dead_man_ns : dead_man_check_at_);
}

int64_t EndSequence::look_at() const {
  if (IsEmpty()) return check_at_;
  const int64_t look_at = Earlier(check_at_, note_at_);
  const bool has_children = HasEnded() && children_->has_children();
  return has_children ? Earlier(look_at, children_->look_at()) : look_at;
}

void EndSequence::CheckDeadlines(int64_t now) {
  if (phase_ != Phase::kRunning || now < deadline()) return;
  record_->ReadAgent();  // deadlines are moved without a signal
  if (now < deadline()) return;
  EndCause cause = EndCause::kTimeLimit;
  if (now >= descendants_at_) {
    cause = EndCause::kDescendants;
  } else if (wish_.dead_man_ns > 0 && now >= wish_.dead_man_ns && now >= dead_man_check_at_) {
    cause = EndCause::kDeadMan;
    dead_man_check_at_ = now + kIdlePause;
    if (record_->AgentLives()) return;
  }
  Begin(now, cause, SIGTERM, wish_.grace_ns);
}

void EndSequence::Begin(int64_t now, EndCause cause, int number, int64_t grace_ns) {
  if (phase_ == Phase::kKilling || IsEmpty()) return;
  if (number < 1 || number > 64) number = SIGTERM;
  if (phase_ == Phase::kRunning) {
    half_.end_cause = cause;
    half_.end_signal = number;
    half_.end_began_ns = WallNow();
  }
  publisher_->Changed();
  if (HasEnded()) NoteDescendants();
  Reach("end-begun");
  if (number == SIGKILL) return StartKilling(now);
  kill_at_ = Earlier(kill_at_, After(now, grace_ns));
  phase_ = Phase::kAsked;
  publisher_->PublishNow(now);  // a large tree takes its time
  tree_->Signal(number, {[](const void* self) {
                           return static_cast<const EndSequence*>(self)->IsOvertaken();
                         },
                         this});
  if (number == SIGTERM && (wish_.flags & record::kTerminal) != 0) tree_->HangUp();
  Reach("signalled");
}

// The grace is over, or another end is asked for: both want what comes next, at once.
bool EndSequence::IsOvertaken() const {
  if (BootNow() >= kill_at_) return true;
  record_->ReadAgent();
  return wish_.terminate_serial > half_.terminate_serial;
}

void EndSequence::Drive(int64_t now) {
  if (now >= note_at_ && !IsEmpty()) NoteDescendants();
  if (phase_ == Phase::kAsked && now >= kill_at_ && !IsEmpty()) {
    publisher_->Changed(record::kEscalated);
    StartKilling(now);
  }
  if (phase_ != Phase::kKilling || IsEmpty() || now < check_at_) return;
  // As long as a member dies: each dead parent makes its children ours.
  for (int round = 0; round < kRoundsAtOnce; ++round) {
    tree_->Kill();
    if (round == 0) Reach("killed");
    if (!children_->Reap() || !children_->has_children()) break;
  }
  if (now >= unkillable_at_) {
    const int count = tree_->Survivors(half_.survivors, record::kMaxSurvivors);
    if (!publisher_->Has(record::kUnkillable) || count != half_.survivor_count) {
      publisher_->Changed(record::kUnkillable);
    }
    half_.survivor_count = count;
  }
  pause_ =
      publisher_->Has(record::kUnkillable) ? kUnkillablePause : Earlier(pause_ * 2, kLongestPause);
  check_at_ = now + pause_;
}

void EndSequence::StartKilling(int64_t now) {
  phase_ = Phase::kKilling;
  half_.killed_ns = WallNow();
  unkillable_at_ = now + kUnkillableAfter;
  pause_ = kShortestPause;
  check_at_ = now;
}

// The cgroup is looked at again after a pause; nothing reports its end in time (inotify lags by
// 11-16 ms).
bool EndSequence::CheckEmpty(int64_t now) {
  if (IsEmpty() || !HasEnded() || !children_->IsEmpty(now)) return false;
  const bool killing = phase_ == Phase::kKilling;
  if (!killing && check_at_ != kNever && now < check_at_) return false;
  // Before what may take its time.
  if (publisher_->has_changed() && !tree_->has_left()) publisher_->PublishNow(now);
  if (tree_->CgroupPopulated()) {
    if (killing) return false;  // Drive() has the next look
    const int64_t longest = phase_ == Phase::kAsked ? kLongestPause : kIdlePause;
    pause_ = pause_ == 0 ? kShortestPause : Earlier(pause_ * 2, longest);
    check_at_ = now + pause_;
    return false;
  }
  Reach("empty");
  check_at_ = kNever;
  half_.empty_ns = WallNow();
  publisher_->Changed(record::kEmpty);
  return true;
}

}  // namespace shoal::shim
