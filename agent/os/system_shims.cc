#include "agent/os/system_shims.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/memory/memory.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "agent/os/start_payload.h"
#include "agent/os/system_clock.h"
#include "agent/record/orders.h"
#include "common/failpoint.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

using record::AgentHalf;
using record::ShimHalf;

constexpr size_t kRetriesPerFree = 2;
constexpr PacedSlots::Pace kReportPace = {.at_once = 64, .between = absl::ZeroDuration()};
constexpr PacedSlots::Pace kWakePace = {.at_once = 32, .between = absl::Milliseconds(5)};

}  // namespace

SystemShims::SystemShims(EventLoop* loop, SystemShimsOptions options)
    : loop_(loop),
      options_(std::move(options)),
      reported_(loop, kReportPace, [this](int slot) { HandleReport(slot); }),
      unwoken_(loop, kWakePace, [this](int slot) { watch_->Wake(slot); }) {}

SystemShims::~SystemShims() {
  if (fifo_ != nullptr) loop_->Unwatch(fifo_->fd());
  for (const auto& [slot, timer] : awaited_ends_) loop_->Cancel(timer);
  if (removal_ != 0) loop_->Cancel(removal_);
  if (cgroups_ == nullptr) return;
  for (const std::string& id : over_) RemoveCgroup(id);
  for (const std::string& id : unremoved_) cgroups_->Remove(CgroupOf(id)).IgnoreError();
  // A cgroup that is empty may be that of a process about to be cloned into it; so all or nothing.
  const bool is_over =
      std::all_of(uses_.begin(), uses_.end(), [](const auto& use) { return use.second.freed; });
  if (is_over) cgroups_->RemoveBase();
}

absl::StatusOr<std::unique_ptr<SystemShims>> SystemShims::Open(EventLoop* loop,
                                                               SystemShimsOptions options) {
  auto shims = absl::WrapUnique(new SystemShims(loop, std::move(options)));
  SHOAL_RETURN_IF_ERROR(shims->Prepare());
  return shims;
}

absl::Status SystemShims::Prepare() {
  SHOAL_ASSIGN_OR_RETURN(records_,
                         Records::Open(options_.run_dir, options_.boot_id, options_.record_format));
  SHOAL_ASSIGN_OR_RETURN(spawner_, ShimSpawner::Open(options_.shim_path));
  FindCgroupBase();
  watch_ =
      std::make_unique<ShimWatch>(loop_, records_.get(), [this](int slot) { OnShimGone(slot); });
  OpenWarmShims();
  SHOAL_ASSIGN_OR_RETURN(fifo_, ReportFifo::Open(options_.run_dir));
  SHOAL_RETURN_IF_ERROR(OpenForkSocket());
  return loop_->Watch(fifo_->fd(), EPOLLIN, [this](uint32_t) { OnReports(); });
}

absl::Status SystemShims::OpenForkSocket() {
  ForkSocket::Handlers handlers;
  handlers.on_offer = [this](const ForkParent& parent) {
    if (offer_events_ != nullptr) offer_events_->OnOffer(parent);
  };
  handlers.on_withdrawn = [this](const ForkParent& parent) {
    if (offer_events_ != nullptr) offer_events_->OnWithdrawn(parent);
  };
  handlers.on_failed = [this](const AskedFork& asked, const ForkFailure& failure, bool broken) {
    OnForkFailed(asked, failure, broken);
  };
  handlers.on_forked = [this](const AskedFork& asked) { OnForked(asked); };
  handlers.on_trouble = [this](const std::string& line) {
    if (options_.on_trouble) options_.on_trouble(line);
  };
  SHOAL_ASSIGN_OR_RETURN(fork_socket_,
                         ForkSocket::Open(loop_, fork_socket_path(), std::move(handlers)));
  return absl::OkStatus();
}

void SystemShims::FindCgroupBase() {
  const std::string recorded = records_->cgroup_base();
  absl::StatusOr<std::unique_ptr<CgroupBase>> base =
      CgroupBase::Find({options_.cgroup_base, recorded, options_.unique});
  cgroup_status_ = base.status();
  if (!base.ok()) return;
  cgroups_ = *std::move(base);
  if (cgroups_->path() != recorded) cgroup_status_ = records_->SetCgroupBase(cgroups_->path());
}

absl::StatusOr<int> SystemShims::Start(const ShimStart& start) {
  if (const std::optional<int> slot = StartWarm(start)) return *slot;
  SHOAL_ASSIGN_OR_RETURN(RecordFile::TakenSlot taken, records_->Take());
  const int slot = taken.slot;
  absl::StatusOr<int> started = StartIn(std::move(taken), start);
  if (!started.ok()) {
    RemoveCgroup(start.id);
    records_->Clear(slot);
  }
  return started;
}

// 1. The slot is locked by Take. 2. The half is written. 3. The shim starts with the lock's
// descriptor, or the parent is sent it. 4. Ours is closed on return, and makes room for the pidfd.
absl::StatusOr<int> SystemShims::StartIn(RecordFile::TakenSlot taken, const ShimStart& start) {
  SHOAL_FAILPOINT("spawn:slot-locked");
  SHOAL_ASSIGN_OR_RETURN(UniqueFd cgroup, MakeCgroup(start));
  SHOAL_FAILPOINT("spawn:cgroup-made");
  AgentHalf desired = DesiredOf(start, static_cast<bool>(cgroup));
  WarmShims::Channel channel;
  if (warm_->is_on() && !start.fork_from) {
    // For want of descriptors the shim ends with its process.
    if (absl::StatusOr<WarmShims::Channel> made = WarmShims::MakeChannel(); made.ok()) {
      channel = *std::move(made);
      desired.flags |= record::kStay;
    }
  }
  SHOAL_RETURN_IF_ERROR(records_->Write(taken.slot, desired));
  SHOAL_FAILPOINT("spawn:told");
  if (start.fork_from) {
    const int slot = taken.slot;
    SHOAL_RETURN_IF_ERROR(AskForFork(std::move(taken), start, std::move(cgroup)));
    SHOAL_FAILPOINT("spawn:fork-sent");
    uses_[slot] = Use{start.id};
    watch_->AddForked(slot);
    return slot;
  }
  SHOAL_ASSIGN_OR_RETURN(const UniqueFd payload, MakePayload(PayloadOf(start), start.id));
  SHOAL_ASSIGN_OR_RETURN(
      const pid_t pid,
      spawner_->Spawn(taken.slot, start,
                      {taken.fd.get(), fifo_->fd(), options_.output_directory, payload.get(),
                       cgroup ? cgroup.get() : -1, channel.theirs ? channel.theirs.get() : -1}));
  SHOAL_FAILPOINT("spawn:shim-started");
  taken.fd.Reset();
  uses_[taken.slot] = Use{start.id};
  if (channel.ours) warm_->AddBusy(taken.slot, std::move(channel));
  watch_->AddChild(taken.slot, pid);
  return taken.slot;
}

AgentHalf SystemShims::DesiredOf(const ShimStart& start, bool has_cgroup) const {
  AgentHalf desired = start.desired;
  std::memcpy(desired.prefix.id, start.id.data(),
              std::min(start.id.size(), sizeof(desired.prefix.id)));
  desired.nofile_soft = options_.nofile_soft;
  if (!start.fork_from) {
    desired.flags |= record::kHasPayload;
    desired.spawn_began_ns = absl::ToInt64Nanoseconds(SystemClock().BootTime());
  }
  if (!has_cgroup) desired.flags |= record::kNoCgroup;
  return desired;
}

// The payload has the limit as the process is to have it, and the arguments as its program sees
// them: an interpreter has taken those before the script.
absl::Status SystemShims::AskForFork(RecordFile::TakenSlot taken, const ShimStart& start,
                                     UniqueFd cgroup) {
  ShimStart limited = start;
  limited.desired.nofile_soft = options_.nofile_soft;
  const size_t words = ProgramWords(limited.argv);
  limited.argv.erase(limited.argv.begin(),
                     limited.argv.begin() + static_cast<ptrdiff_t>(words) - 1);
  SHOAL_ASSIGN_OR_RETURN(UniqueFd payload, MakePayload(PayloadOf(limited), start.id));
  StartPacket packet;
  packet.descriptors = {payload.get(), spawner_->binary(), taken.fd.get(), fifo_->fd(),
                        options_.output_directory};
  packet.owned.push_back(std::move(payload));
  packet.owned.push_back(std::move(taken.fd));
  if (cgroup) {
    packet.descriptors.insert(packet.descriptors.end(), {cgroup.get(), cgroups_->shims()});
    packet.owned.push_back(std::move(cgroup));
  }
  return fork_socket_->Fork(*start.fork_from, {taken.slot, start.id}, std::move(packet));
}

// A parent may answer at any time, also when the slot has become another process's.
void SystemShims::OnForkFailed(const AskedFork& asked, const ForkFailure& failure, bool broken) {
  const int slot = asked.slot;
  if (!IsOf(slot, asked.id)) return;
  uses_[slot].refused = failure;
  watch_->NoteAnswered(slot);
  // A broken connection does not tell whether a shim was being started: the lock does.
  if (broken) return watch_->MaybeReach(slot);
  watch_->Drop(slot);
  OnShimGone(slot);
}

void SystemShims::OnForked(const AskedFork& asked) {
  if (!IsOf(asked.slot, asked.id)) return;
  uses_[asked.slot].forked = true;
  watch_->NoteAnswered(asked.slot);
}

absl::StatusOr<UniqueFd> SystemShims::MakeCgroup(const ShimStart& start) {
  std::erase(over_, start.id);  // nothing of it ran, and it is started again
  if (!start.beside.empty()) {
    if (cgroups_ == nullptr) return absl::FailedPreconditionError("no writable cgroup v2");
    beside_[start.id] = start.beside;
    return cgroups_->Create(CgroupOf(start.id));
  }
  if (cgroups_ == nullptr) return UniqueFd();
  absl::StatusOr<UniqueFd> directory = cgroups_->Create(start.id);
  if (absl::IsFailedPrecondition(directory.status())) return UniqueFd();
  return directory;
}

std::string SystemShims::CgroupOf(const std::string& id) const {
  const auto beside = beside_.find(id);
  return beside == beside_.end() ? id : absl::StrCat(beside->second, "/", id);
}

bool SystemShims::IsOf(int slot, const std::string& id) const {
  const auto use = uses_.find(slot);
  return use != uses_.end() && !use->second.freed && use->second.id == id;
}

void SystemShims::Tell(int slot, const std::string& id,
                       absl::AnyInvocable<void(record::AgentHalf&) const> change, bool wake) {
  if (!IsOf(slot, id)) return;
  // The page is there already, so that writing it cannot want for space.
  absl::Status changed = records_->Change(slot, id, std::move(change));
  if (changed.ok() && wake) watch_->Wake(slot);
}

ShimView SystemShims::Look(int slot, const std::string& id) {
  ShimView view;
  if (slot <= 0 || slot > records_->slot_count()) return view;
  RecordFile::Halves halves = records_->Read(slot);
  view.damaged = halves.damaged;
  const bool tells_id = halves.agent || halves.unreadable;
  if (tells_id && halves.Id() != id) return ShimView();  // Another process's by now.
  if (halves.unreadable) {
    view.unreadable_version = halves.unreadable->version;
  } else {
    view.agent = halves.agent;
    if (halves.shim && HasId(*halves.shim, id)) view.shim = halves.shim;
  }
  view.locked = watch_->IsAlive(slot) || records_->IsLocked(slot);
  const auto use = uses_.find(slot);
  if (use == uses_.end()) return view;
  view.forked = use->second.forked;
  // As the parent reported; it may hold the lock for a moment more.
  if (!view.shim && !watch_->IsAlive(slot)) view.refused = use->second.refused;
  return view;
}

std::vector<std::pair<int, std::string>> SystemShims::Recover() {
  std::vector<std::pair<int, std::string>> found;
  for (int slot = 1; slot <= records_->slot_count(); ++slot) {
    const RecordFile::Halves halves = records_->Read(slot);
    if (halves.IsFree()) continue;
    if (halves.IsIdle()) {
      RecoverIdle(slot);
      continue;
    }
    uses_[slot] = Use{halves.Id()};
    if (halves.agent && halves.agent->beside[0] != 0) {
      beside_[halves.Id()] = std::string(halves.agent->beside, sizeof(halves.agent->beside));
    }
    if (records_->IsLocked(slot)) {
      watch_->AddRecovered(slot, !halves.unreadable);
      // The agent before may have died between writing and waking.
      if (!halves.unreadable) unwoken_.Add(slot);
    }
    if (const std::string id = halves.Id(); !id.empty()) found.emplace_back(slot, id);
  }
  warm_->Begin();
  unwoken_.Begin();
  return found;
}

void SystemShims::Free(int slot, const std::string& id) {
  RemoveCgroupSoon(id);
  const auto use = uses_.find(slot);
  const bool ours = use != uses_.end() && (use->second.id == id || use->second.id.empty());
  if (!ours || use->second.freed) return;
  if (MayReuse(slot, id)) {
    uses_.erase(use);
    SHOAL_FAILPOINT("free:before-release");
    records_->Release(slot);
    SHOAL_FAILPOINT("free:released");
    warm_->Reuse(slot);
    SHOAL_FAILPOINT("free:told");
    return;
  }
  use->second.freed = true;
  warm_->Forget(slot);
  if (!watch_->IsAlive(slot)) return OnShimGone(slot);
  if (warm_->is_on()) AwaitEnd(slot);
}

// After this turn, so that the agent answers those who wait for the end of the process first.
void SystemShims::RemoveCgroupSoon(const std::string& id) {
  if (cgroups_ == nullptr) return;
  over_.push_back(id);
  if (removal_ == 0) removal_ = loop_->After(absl::ZeroDuration(), [this] { RemoveCgroups(); });
}

void SystemShims::RemoveCgroups() {
  removal_ = 0;
  for (const std::string& id : std::exchange(over_, {})) {
    // As many as come, and one more: each of thousands is not tried again at each end.
    for (size_t tries = std::min(kRetriesPerFree, unremoved_.size()); tries > 0; --tries) {
      const std::string busy = std::move(unremoved_.front());
      unremoved_.pop_front();
      RemoveCgroup(busy);
    }
    RemoveCgroup(id);
  }
}

void SystemShims::RemoveCgroup(const std::string& id) {
  if (cgroups_ == nullptr) return;
  if (cgroups_->Remove(CgroupOf(id)).ok()) {
    beside_.erase(id);
  } else {
    unremoved_.push_back(id);
  }
}

// A forked process runs before its shim has written its half. If the shim, or the process that was
// to become it, was killed by then, the process dies with it, but its descendants would live on.
void SystemShims::EndUnshimmed(const std::string& id) {
  if (cgroups_ == nullptr) return;
  const absl::StatusOr<UniqueFd> directory = cgroups_->Open(CgroupOf(id));
  if (directory.ok()) KillCgroup(directory->get()).IgnoreError();
}

void SystemShims::OnShimGone(int slot) {
  const bool was_warm = warm_->Has(slot);
  warm_->Forget(slot);
  const auto use = uses_.find(slot);
  if (use == uses_.end()) return records_->Clear(slot);  // it was idle
  const RecordFile::Halves halves = records_->Read(slot);
  if (was_warm && (!halves.shim || !HasId(*halves.shim, use->second.id))) {
    cold_.insert(use->second.id);  // other idle shims may have died with it
  }
  if (!halves.shim && !halves.unreadable) EndUnshimmed(use->second.id);
  if (!use->second.freed) {
    const std::string id = use->second.id;  // A copy: the slot may be freed within the call.
    if (shim_events_ != nullptr) shim_events_->OnDeath(slot, id);
    return;
  }
  uses_.erase(use);
  records_->Clear(slot);
}

void SystemShims::OnReports() {
  const ReportFifo::Batch batch = fifo_->Read();
  if (batch.overflowed) {
    warm_->OnOverflow();
    if (shim_events_ != nullptr) shim_events_->OnOverflow();
    return;
  }
  for (const int slot : batch.slots) reported_.Add(slot);
  reported_.Begin();
}

void SystemShims::HandleReport(int slot) {
  const auto use = uses_.find(slot);
  const bool is_idle = use == uses_.end();
  const bool is_used = !is_idle && !use->second.freed;
  if (is_idle) warm_->OnReport(slot);
  if (is_used && shim_events_ != nullptr) shim_events_->OnReport(slot);  // may free it
  watch_->MaybeReach(slot);
}

}  // namespace shoal::agent
