// Shims that serve one process after another: which wait for work, and the sockets by which they are
// told. agent/README.md has the table of their states.
//
// Ownership:     owns the sockets; closing one has its shim end, at once if it is idle, else with its
//                process. `loop` and `records` outlive it. What it is asked to start or end is the
//                caller's.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        none are kept: a shim that cannot be told is the caller's to do without.
// Story:         a shim starts idle (AddIdle → OnReport) or with a process (AddBusy) → its process is
//                over and stored: Reuse → Take, Give → it has taken the packet, or after kPatience the
//                packet is taken back (TakeBack), which it then never was.
#ifndef SHOAL_AGENT_OS_WARM_SHIMS_H_
#define SHOAL_AGENT_OS_WARM_SHIMS_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "agent/loop/event_loop.h"
#include "agent/os/records.h"
#include "agent/os/start_packet.h"
#include "common/unique_fd.h"

namespace shoal::agent {

class WarmShims {
 public:
  struct Options {
    size_t at_rest = 0;  // how many are idle while nothing is started; 0: no shim stays
    size_t most = 0;     // sockets; beyond it the shim that is busy the longest loses its
  };
  struct Handlers {
    // One more idle shim is wanted. False: there can be none now.
    std::function<bool()> start_one;
    // The packet came back: the shim has not taken it, and never will.
    std::function<void(int slot)> on_untaken;
    // The shim is of no more use, and its socket closed.
    std::function<void(int slot)> on_dismissed;
  };
  // Both ends of a shim's socket.
  struct Channel {
    UniqueFd ours;
    UniqueFd theirs;  // given to the shim at its start; the duplicate stays, to take a packet back
  };

  // A shim that has not taken its packet after this time is stopped, or starved.
  static constexpr absl::Duration kPatience = absl::Seconds(1);
  // More than `at_rest` stay idle for so long.
  static constexpr absl::Duration kKeptFor = absl::Seconds(10);
  static constexpr absl::Duration kRefillAfter = absl::Milliseconds(100);
  // One that is not given its next process for so long is told that the last one is forgotten.
  static constexpr absl::Duration kToldAfter = absl::Milliseconds(20);

  WarmShims(EventLoop* loop, const Records* records, Options options, Handlers handlers);
  ~WarmShims();

  // Shims stay: those that are started get a channel.
  bool is_on() const { return options_.at_rest > 0; }
  static absl::StatusOr<Channel> MakeChannel();

  // Idle shims may be started from now on.
  void Begin() { RefillSoon(); }
  void AddIdle(int slot, Channel channel);
  void AddBusy(int slot, Channel channel);
  // The shim of the slot wrote a report without having a process.
  void OnReport(int slot);
  void OnOverflow();  // one such report may be lost

  // The one that has served last; it is to be given something at once, or dismissed.
  std::optional<int> Take();
  // Tells it to serve `id`, whose half is in the record. Not OK: it has not been told.
  absl::Status Give(int slot, const std::string& id, const StartPacket& packet);
  // Its process is over, its agent half empty: it may have another. REQUIRES: Has(slot).
  void Reuse(int slot);

  bool Has(int slot) const { return shims_.contains(slot); }
  // How many have said that they wait for a process.
  size_t idle() const { return idle_.size(); }
  // The shim is gone, or is to have nothing more to do.
  void Forget(int slot);

 private:
  enum class State { kStarting, kIdle, kTaken, kGiven, kBusy };
  struct Shim {
    Channel channel;
    State state = State::kStarting;
    absl::Duration since;  // CLOCK_BOOTTIME of the state
    std::string id{};      // of kGiven
  };
  struct Given {
    int slot = 0;
    std::string id;
    absl::Duration due;
  };

  void Set(Shim* shim, State state);
  void Add(int slot, Channel channel, State state);
  void DropBusiest();
  void DismissLongestIdle();
  void TellFreed();
  void LookAtGiven();
  bool HasTaken(int slot, const Shim& shim) const;
  static bool TakeBack(const Channel& channel);
  void RefillSoon();
  void Refill();
  void TrimLater(absl::Duration delay);
  void Trim();

  EventLoop* const loop_;
  const Records* const records_;
  const Options options_;
  const Handlers handlers_;
  absl::flat_hash_map<int, Shim> shims_;
  std::vector<int> idle_;  // the next to be taken last
  std::vector<int> untold_;
  std::deque<Given> given_;
  size_t starting_ = 0;
  bool is_unfit_ = false;  // a shim ended instead of waiting: it is of a version that cannot
  EventLoop::TimerId look_ = 0, refill_ = 0, trim_ = 0, tell_ = 0;  // 0: not armed
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_WARM_SHIMS_H_
