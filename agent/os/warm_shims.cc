#include "agent/os/warm_shims.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "agent/os/descriptor.h"
#include "agent/os/system_clock.h"
#include "agent/record/orders.h"
#include "common/status.h"

namespace shoal::agent {
namespace {

absl::Duration Now() { return SystemClock().BootTime(); }

}  // namespace

WarmShims::WarmShims(EventLoop* loop, const Records* records, Options options, Handlers handlers)
    : loop_(loop), records_(records), options_(options), handlers_(std::move(handlers)) {}

WarmShims::~WarmShims() {
  for (const EventLoop::TimerId timer : {look_, refill_, trim_, tell_}) {
    if (timer != 0) loop_->Cancel(timer);
  }
}

absl::StatusOr<WarmShims::Channel> WarmShims::MakeChannel() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return ErrnoStatus(errno, "socketpair for a shim");
  }
  UniqueFd ours(ends[0]);
  UniqueFd theirs(ends[1]);
  Channel channel;
  SHOAL_ASSIGN_OR_RETURN(channel.ours, MoveUp(std::move(ours), "socket of a shim"));
  SHOAL_ASSIGN_OR_RETURN(channel.theirs, MoveUp(std::move(theirs), "socket of a shim"));
  return channel;
}

void WarmShims::Set(Shim* shim, State state) {
  shim->state = state;
  shim->since = Now();
}

void WarmShims::Add(int slot, Channel channel, State state) {
  if (shims_.size() >= options_.most) DropBusiest();
  Shim& shim = shims_[slot];
  shim.channel = std::move(channel);
  Set(&shim, state);
}

// The one that was busy the longest: its process goes on, and it ends with that.
void WarmShims::DropBusiest() {
  auto busiest = shims_.end();
  for (auto shim = shims_.begin(); shim != shims_.end(); ++shim) {
    if (shim->second.state != State::kBusy) continue;
    if (busiest == shims_.end() || shim->second.since < busiest->second.since) busiest = shim;
  }
  if (busiest != shims_.end()) {
    shims_.erase(busiest);
  } else if (!idle_.empty()) {
    DismissLongestIdle();
  }
}

void WarmShims::DismissLongestIdle() {
  const int slot = idle_.front();
  idle_.erase(idle_.begin());
  shims_.erase(slot);
  handlers_.on_dismissed(slot);
}

void WarmShims::AddIdle(int slot, Channel channel) {
  Add(slot, std::move(channel), State::kStarting);
  ++starting_;
}

void WarmShims::AddBusy(int slot, Channel channel) { Add(slot, std::move(channel), State::kBusy); }

void WarmShims::OnReport(int slot) {
  const auto found = shims_.find(slot);
  if (found == shims_.end() || found->second.state != State::kStarting) return;
  const RecordFile::Halves halves = records_->Read(slot);
  if (!halves.IsIdle()) return;
  --starting_;
  Set(&found->second, State::kIdle);
  idle_.insert(idle_.begin(), slot);  // those that have served are in the caches of the processor
}

void WarmShims::OnOverflow() {
  std::vector<int> starting;
  for (const auto& [slot, shim] : shims_) {
    if (shim.state == State::kStarting) starting.push_back(slot);
  }
  for (const int slot : starting) OnReport(slot);
}

std::optional<int> WarmShims::Take() {
  if (idle_.empty()) return std::nullopt;
  const int slot = idle_.back();
  idle_.pop_back();
  Set(&shims_[slot], State::kTaken);
  if (idle_.size() < options_.at_rest) RefillSoon();
  return slot;
}

absl::Status WarmShims::Give(int slot, const std::string& id, const StartPacket& packet) {
  const auto found = shims_.find(slot);
  if (found == shims_.end()) return absl::UnavailableError("its shim is gone");
  SHOAL_ASSIGN_OR_RETURN(const bool sent,
                         SendPacket(found->second.channel.ours.get(), packet, "an idle shim"));
  if (!sent) return absl::UnavailableError("its shim does not read");
  Set(&found->second, State::kGiven);
  found->second.id = id;
  given_.push_back({slot, id, found->second.since + kPatience});
  if (look_ == 0) look_ = loop_->After(kPatience, [this] { LookAtGiven(); });
  return absl::OkStatus();
}

void WarmShims::LookAtGiven() {
  look_ = 0;
  const absl::Duration now = Now();
  while (!given_.empty() && given_.front().due <= now) {
    const Given given = std::move(given_.front());
    given_.pop_front();
    const auto found = shims_.find(given.slot);
    if (found == shims_.end() || found->second.state != State::kGiven) continue;
    if (found->second.id != given.id) continue;
    if (HasTaken(given.slot, found->second) || !TakeBack(found->second.channel)) {
      Set(&found->second, State::kBusy);
    } else {
      handlers_.on_untaken(given.slot);
    }
  }
  if (!given_.empty()) {
    look_ = loop_->After(given_.front().due - now, [this] { LookAtGiven(); });
  }
}

bool WarmShims::HasTaken(int slot, const Shim& shim) const {
  const RecordFile::Halves halves = records_->Read(slot);
  return halves.shim && HasId(*halves.shim, shim.id);
}

// The shim reads from the same queue: exactly one of the two gets the packet.
bool WarmShims::TakeBack(const Channel& channel) {
  for (;;) {
    char text[record::kMaxOrderBytes];
    // Without room for descriptors the kernel drops those that come along.
    const ssize_t size = recv(channel.theirs.get(), text, sizeof(text), MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return false;
    const absl::string_view order(text, static_cast<size_t>(size));
    if (absl::StartsWith(order, record::kStartOrder)) return true;
  }
}

void WarmShims::Reuse(int slot) {
  Shim& shim = shims_[slot];
  Set(&shim, State::kIdle);
  shim.id.clear();
  idle_.push_back(slot);
  untold_.push_back(slot);
  if (tell_ == 0) tell_ = loop_->After(kToldAfter, [this] { TellFreed(); });
  if (idle_.size() > options_.at_rest && trim_ == 0) TrimLater(kKeptFor);
}

// One that has another process by now has learned it from that packet; so does one that cannot be
// told.
void WarmShims::TellFreed() {
  tell_ = 0;
  for (const int slot : std::exchange(untold_, {})) {
    const auto found = shims_.find(slot);
    if (found == shims_.end() || found->second.state != State::kIdle) continue;
    SendPacket(found->second.channel.ours.get(), {.text = record::kFreedOrder}, "an idle shim")
        .status()
        .IgnoreError();
  }
}

void WarmShims::Forget(int slot) {
  const auto found = shims_.find(slot);
  if (found == shims_.end()) return;
  const State state = found->second.state;
  if (state == State::kStarting) {
    --starting_;
    is_unfit_ = true;
  }
  shims_.erase(found);
  std::erase(idle_, slot);
  if (state == State::kIdle && idle_.size() < options_.at_rest) RefillSoon();
}

void WarmShims::RefillSoon() {
  if (!is_on() || is_unfit_ || refill_ != 0) return;
  refill_ = loop_->After(kRefillAfter, [this] { Refill(); });
}

void WarmShims::Refill() {
  refill_ = 0;
  if (idle_.size() + starting_ >= options_.at_rest || !handlers_.start_one()) return;
  // One in a turn: each takes a posix_spawn.
  if (idle_.size() + starting_ < options_.at_rest) {
    refill_ = loop_->After(absl::ZeroDuration(), [this] { Refill(); });
  }
}

void WarmShims::TrimLater(absl::Duration delay) {
  trim_ = loop_->After(delay, [this] { Trim(); });
}

void WarmShims::Trim() {
  trim_ = 0;
  while (idle_.size() > options_.at_rest) {
    const absl::Duration left = shims_[idle_.front()].since + kKeptFor - Now();
    if (left > absl::ZeroDuration()) return TrimLater(left);
    DismissLongestIdle();
  }
}

}  // namespace shoal::agent
