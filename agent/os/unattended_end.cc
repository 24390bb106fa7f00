#include "agent/os/unattended_end.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "agent/os/cgroup.h"
#include "agent/os/process_signals.h"
#include "agent/os/procfs.h"
#include "agent/os/records.h"
#include "agent/os/report_fifo.h"
#include "agent/record/end_order.h"
#include "common/boot_time.h"
#include "common/escape.h"
#include "common/ids.h"
#include "common/signals.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

using record::AgentHalf;
using record::ShimHalf;

constexpr absl::string_view kAll = "all";
constexpr int kSignal = SIGTERM;
// A killed shim reports nothing.
constexpr int kLookEveryMs = 100;

struct Target {
  int slot = 0;
  std::string id;
  std::string cgroup;  // as CgroupBase names it
  std::string name;    // as its shim shows it; empty: not shown
  absl::Status ordered;
  uint32_t serial = 0;  // of the order
  bool is_woken = false;
};

struct Result {
  bool is_over = false;
  std::string how;
};

bool IsOver(const ShimHalf& half) { return (half.flags & (record::kEmpty | record::kFinal)) != 0; }

std::string HowItEnded(const ShimHalf& half) {
  if ((half.flags & record::kExited) == 0) return "never started";
  if (!record::HasExitCode(half.wait_status)) {
    return absl::StrCat("ended by ", SignalName(record::SignalOf(half.wait_status)));
  }
  return absl::StrCat("exited with code ", record::ExitCodeOf(half.wait_status));
}

std::string NameOf(const std::string& id, const std::optional<ShimHalf>& half) {
  if (!half) return "";
  const std::vector<std::string> words = absl::StrSplit(ReadCommandLine(half->shim_pid), '\0');
  return words.size() > 3 && words[2] == id ? words[3] : "";
}

std::string WhyUnordered(const RecordFile::Halves& halves, const absl::Status& ordered) {
  if (halves.unreadable) {
    return absl::StrCat("its record is of version ", halves.unreadable->version,
                        ", which this program cannot read");
  }
  return halves.damaged ? "its record is damaged" : std::string(ordered.message());
}

class Ending {
 public:
  Ending(std::unique_ptr<Records> records, std::unique_ptr<ReportFifo> fifo,
         absl::FunctionRef<void(const std::string& line)> say)
      : records_(std::move(records)), fifo_(std::move(fifo)), say_(say) {}

  absl::Status Select(absl::string_view which);
  void Order(const std::optional<absl::Duration>& grace);
  // Until all are over; at the latest when each had its grace, and the time of the proof.
  bool Await(absl::Duration proof_time);

 private:
  std::optional<ShimHalf> ShimOf(const Target& target) const;
  std::optional<Result> Look(Target* target);
  std::optional<Result> EndLost(const Target& target, const std::optional<ShimHalf>& half) const;
  std::string WhyNotOver(const Target& target) const;
  void Say(const Target& target, const Result& result);
  void AwaitReport();

  const std::unique_ptr<Records> records_;
  const std::unique_ptr<ReportFifo> fifo_;  // null: looked at every now and then alone
  const absl::FunctionRef<void(const std::string& line)> say_;
  std::vector<Target> targets_;  // that are not over yet
  absl::Duration longest_grace_;
  bool are_all_over_ = true;
};

std::optional<ShimHalf> Ending::ShimOf(const Target& target) const {
  const std::optional<ShimHalf> half = records_->Read(target.slot).shim;
  return half && HasId(*half, target.id) ? half : std::nullopt;
}

absl::Status Ending::Select(absl::string_view which) {
  const std::string prefix = which == kAll ? "" : absl::AsciiStrToUpper(which);
  if (which != kAll && prefix.size() < kShortIdLength) {
    return absl::InvalidArgumentError(absl::StrCat("\"", EscapeForMessage(which),
                                                   "\" is neither 'all' nor an id, of which ",
                                                   kShortIdLength, " characters are enough"));
  }
  for (int slot = 1; slot <= records_->slot_count(); ++slot) {
    const RecordFile::Halves halves = records_->Read(slot);
    Target target;
    target.slot = slot;
    target.id = halves.Id();
    if (halves.IsFree() || halves.IsIdle() || !absl::StartsWith(target.id, prefix)) continue;
    const std::optional<ShimHalf> half = ShimOf(target);
    if (which == kAll && half && IsOver(*half)) continue;
    target.name = NameOf(target.id, half);
    target.cgroup = target.id;
    if (halves.agent && halves.agent->beside[0] != 0) {
      const AgentHalf& desired = *halves.agent;
      target.cgroup =
          absl::StrCat(std::string(desired.beside, sizeof(desired.beside)), "/", target.id);
    }
    targets_.push_back(std::move(target));
  }
  if (which == kAll || targets_.size() == 1) return absl::OkStatus();
  if (targets_.empty()) {
    return absl::NotFoundError(
        absl::StrCat("no process has the id \"", EscapeForMessage(which), "\""));
  }
  return absl::InvalidArgumentError(absl::StrCat("\"", EscapeForMessage(which),
                                                 "\" fits several ids, such as ", targets_[0].id,
                                                 " and ", targets_[1].id));
}

void Ending::Order(const std::optional<absl::Duration>& grace) {
  const std::string by = absl::StrCat("uid:", geteuid(), " (shoald --terminate)");
  for (Target& target : targets_) {
    target.ordered = records_->Change(target.slot, target.id, [&](AgentHalf& half) {
      const int64_t grace_ns = grace ? absl::ToInt64Nanoseconds(*grace) : half.grace_ns;
      target.serial = half.terminate_serial + 1;
      record::OrderEnd(&half, target.serial, record::EndCause::kRequested, kSignal, grace_ns);
      if (half.end_asked_ns == 0) {
        record::NoteFirstOrder(&half, absl::GetCurrentTimeNanos(), kSignal, grace_ns, by.data(),
                               by.size());
      }
      longest_grace_ = std::max(longest_grace_, absl::Nanoseconds(grace_ns));
    });
  }
}

bool Ending::Await(absl::Duration proof_time) {
  const BootTime deadline = BootTime::Now() + longest_grace_ + proof_time;
  for (;;) {
    std::erase_if(targets_, [&](Target& target) {
      const std::optional<Result> result = Look(&target);
      if (result) Say(target, *result);
      return result.has_value();
    });
    if (targets_.empty() || BootTime::Now() >= deadline) break;
    AwaitReport();
  }
  for (const Target& target : targets_) Say(target, {false, WhyNotOver(target)});
  return are_all_over_;
}

std::optional<Result> Ending::Look(Target* target) {
  // Before the record: a shim writes its last word before it lets go of the lock.
  const bool is_locked = records_->IsLocked(target->slot);
  const RecordFile::Halves halves = records_->Read(target->slot);
  const std::optional<ShimHalf> half = ShimOf(*target);
  if (half && IsOver(*half)) return Result{true, HowItEnded(*half)};
  if (!target->ordered.ok()) {
    return Result{false, absl::StrCat("left alone: ", WhyUnordered(halves, target->ordered))};
  }
  if (!is_locked) return EndLost(*target, half);
  if (!target->is_woken && half) {
    const absl::StatusOr<UniqueFd> shim = OpenProcess(half->shim_pid, half->shim_start_ticks);
    target->is_woken = shim.ok() && SendSignal(shim->get(), SIGUSR1).ok();
  }
  return std::nullopt;
}

std::optional<Result> Ending::EndLost(const Target& target,
                                      const std::optional<ShimHalf>& half) const {
  if (!half) return Result{true, "never started"};
  const absl::StatusOr<UniqueFd> cgroup = OpenCgroupOf(records_->cgroup_base(), target.cgroup);
  if (!cgroup.ok()) {
    return Result{false, "its shim is gone, and without a cgroup nothing proves its tree empty"};
  }
  if (!IsCgroupPopulated(cgroup->get())) {
    if (CanBeLeft(records_->cgroup_base())) {
      return Result{false,
                    "its shim is gone and its cgroup is empty, but what ran in it could leave it: "
                    "its tree is unproven"};
    }
    return Result{true, "its shim was gone: the exit is unknown, its tree is empty"};
  }
  KillCgroup(cgroup->get()).IgnoreError();
  return std::nullopt;
}

std::string Ending::WhyNotOver(const Target& target) const {
  const std::optional<ShimHalf> half = ShimOf(target);
  if (!half || half->terminate_serial < target.serial) {
    return "not over: its shim does not react (is it stopped?)";
  }
  const int known = std::clamp(half->survivor_count, 0, record::kMaxSurvivors);
  std::vector<std::string> left;
  left.reserve(static_cast<size_t>(known));
  for (int i = 0; i < known; ++i) {
    left.push_back(
        absl::StrCat(half->survivors[i], " ", EscapeForMessage(ReadComm(half->survivors[i]))));
  }
  return left.empty() ? "not over: its tree is not empty yet"
                      : absl::StrCat("not over: SIGKILL has not ended ", absl::StrJoin(left, ", "));
}

void Ending::Say(const Target& target, const Result& result) {
  are_all_over_ = are_all_over_ && result.is_over;
  say_(absl::StrCat(target.id.empty() ? absl::StrCat("slot ", target.slot) : target.id,
                    target.name.empty() ? "" : " ", EscapeForMessage(target.name), ": ",
                    result.how));
}

void Ending::AwaitReport() {
  pollfd report{fifo_ == nullptr ? -1 : fifo_->fd(), POLLIN, 0};
  // What is lost of them the next agent does not miss: it reads every record at its start.
  if (poll(&report, 1, kLookEveryMs) > 0) fifo_->Read();
}

}  // namespace

absl::StatusOr<bool> EndUnattended(const UnattendedEnd& wish,
                                   absl::FunctionRef<void(const std::string& line)> say) {
  // Made here it would say that nothing is known of this boot.
  if (access(absl::StrCat(wish.run_dir, "/records").c_str(), F_OK) != 0) {
    return absl::NotFoundError(absl::StrCat("there are no records of an agent in ", wish.run_dir,
                                            "; --run-dir or --socket may name another directory"));
  }
  SHOAL_ASSIGN_OR_RETURN(std::unique_ptr<Records> records,
                         Records::Open(wish.run_dir, wish.boot_id, RecordFile::Format()));
  absl::StatusOr<std::unique_ptr<ReportFifo>> fifo = ReportFifo::Open(wish.run_dir);
  Ending ending(std::move(records), fifo.ok() ? *std::move(fifo) : nullptr, say);
  SHOAL_RETURN_IF_ERROR(ending.Select(wish.which));
  ending.Order(wish.grace);
  return ending.Await(wish.proof_time);
}

}  // namespace shoal::agent
