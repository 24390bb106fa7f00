// The part of SystemShims that starts by idle shims, and lets them go.
#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "agent/os/start_payload.h"
#include "agent/os/system_shims.h"
#include "agent/record/orders.h"
#include "common/failpoint.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

constexpr absl::Duration kTimeToEnd = absl::Seconds(1);
// Sockets of shims: two descriptors each, of which the agent must have enough for clients.
constexpr rlim_t kLimitPerSocket = 16;
constexpr size_t kFewestSockets = 8;
constexpr size_t kMostSockets = 128;

size_t MostSockets() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return kFewestSockets;
  return std::clamp<size_t>(limit.rlim_cur / kLimitPerSocket, kFewestSockets, kMostSockets);
}

}  // namespace

void SystemShims::OpenWarmShims() {
  WarmShims::Handlers handlers;
  handlers.start_one = [this] { return SpawnIdle(); };
  handlers.on_untaken = [this](int slot) { OnUntaken(slot); };
  handlers.on_dismissed = [this](int slot) { AwaitEnd(slot); };
  // At least half of the sockets are for shims that are busy.
  const size_t most = MostSockets();
  warm_ = std::make_unique<WarmShims>(
      loop_, records_.get(),
      WarmShims::Options{.at_rest = std::min(options_.idle_shims, most / 2), .most = most},
      std::move(handlers));
}

std::optional<int> SystemShims::StartWarm(const ShimStart& start) {
  if (start.fork_from || cold_.erase(start.id) != 0) return std::nullopt;
  const std::optional<int> slot = warm_->Take();
  if (!slot) return std::nullopt;
  if (Give(*slot, start).ok()) return slot;
  // It has not been told: what keeps it from that is said by the start that comes instead.
  records_->Release(*slot);
  warm_->Forget(*slot);
  AwaitEnd(*slot);
  return std::nullopt;
}

absl::StatusOr<StartPacket> SystemShims::PacketOf(const ShimStart& start) const {
  StartPacket packet;
  packet.text = absl::StrCat(record::kStartOrder, start.id, " ", ShownName(start));
  packet.text.resize(record::kMaxOrderBytes);
  const std::string payload = PayloadOf(start);
  if (payload.size() <= record::kMaxPayloadBytes) {
    packet.text += payload;
    return packet;
  }
  SHOAL_ASSIGN_OR_RETURN(UniqueFd file, MakePayload(payload, start.id));
  packet.descriptors = {file.get()};
  packet.owned.push_back(std::move(file));
  return packet;
}

// 1. The slot is the shim's, and locked. 2. The half is written: from here on it is known that the
// process is the shim's. 3. The packet is sent.
absl::Status SystemShims::Give(int slot, const ShimStart& start) {
  SHOAL_ASSIGN_OR_RETURN(UniqueFd cgroup, MakeCgroup(start));
  SHOAL_FAILPOINT("warm:cgroup-made");
  const bool has_cgroup = cgroup ? true : false;
  record::AgentHalf desired = DesiredOf(start, has_cgroup);
  desired.flags |= record::kStay;
  SHOAL_ASSIGN_OR_RETURN(StartPacket packet, PacketOf(start));
  if (has_cgroup) packet.descriptors.push_back(cgroup.get());
  SHOAL_RETURN_IF_ERROR(records_->Write(slot, desired));
  SHOAL_FAILPOINT("warm:told");
  SHOAL_RETURN_IF_ERROR(warm_->Give(slot, start.id, packet));
  SHOAL_FAILPOINT("warm:given");
  uses_[slot] = Use{start.id};
  return absl::OkStatus();
}

bool SystemShims::SpawnIdle() {
  absl::StatusOr<RecordFile::TakenSlot> taken = records_->Take();
  if (!taken.ok()) return false;
  absl::StatusOr<WarmShims::Channel> channel = WarmShims::MakeChannel();
  if (!channel.ok()) {
    records_->Clear(taken->slot);
    return false;
  }
  const absl::StatusOr<pid_t> pid =
      spawner_->SpawnIdle(taken->slot, {.record = taken->fd.get(),
                                        .report = fifo_->fd(),
                                        .output = options_.output_directory,
                                        .orders = channel->theirs.get()});
  if (!pid.ok()) {
    records_->Clear(taken->slot);
    return false;
  }
  SHOAL_FAILPOINT("warm:idle-started");
  warm_->AddIdle(taken->slot, *std::move(channel));
  watch_->AddChild(taken->slot, *pid);
  return true;
}

// The process never was the shim's, also for the record, before it is anything else's.
void SystemShims::OnUntaken(int slot) {
  SHOAL_FAILPOINT("warm:taken-back");
  const auto use = uses_.find(slot);
  if (use == uses_.end()) return;
  const std::string id = std::move(use->second.id);
  uses_.erase(use);
  records_->Release(slot);
  SHOAL_FAILPOINT("warm:back-released");
  warm_->Forget(slot);
  watch_->End(slot);
  cold_.insert(id);
  if (shim_events_ != nullptr) shim_events_->OnDeath(slot, id);
}

bool SystemShims::IsInUse(int slot) const {
  const auto use = uses_.find(slot);
  return warm_->Has(slot) || (use != uses_.end() && !use->second.freed);
}

void SystemShims::AwaitEnd(int slot) {
  if (const auto before = awaited_ends_.find(slot); before != awaited_ends_.end()) {
    loop_->Cancel(before->second);
  }
  awaited_ends_[slot] = loop_->After(kTimeToEnd, [this, slot] {
    awaited_ends_.erase(slot);
    if (!IsInUse(slot)) watch_->End(slot);
  });
}

void SystemShims::RecoverIdle(int slot) {
  if (!records_->IsLocked(slot)) return records_->Clear(slot);
  watch_->AddRecovered(slot, /*is_readable=*/true);
  AwaitEnd(slot);
}

bool SystemShims::MayReuse(int slot, const std::string& id) const {
  if (!warm_->Has(slot) || !watch_->IsAlive(slot)) return false;
  const std::optional<record::ShimHalf> shim = records_->Read(slot).shim;
  constexpr uint32_t kBoth = record::kFinal | record::kStays;
  return shim && HasId(*shim, id) && (shim->flags & kBoth) == kBoth;
}

}  // namespace shoal::agent
