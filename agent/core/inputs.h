// What callers write to the input of processes: into the ring, in its place, once. And the size of
// their terminals.
//
// Ownership:     owned by the supervisor; does not own the processes.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
// Errors:        to the callback: see WriteInput of the proto.
// Story:         1 Write: the calls for one process stand in a line → 2 Pump: of the first, what is
//                kept already is passed over; what there is room for goes to the ring (WritePiece) →
//                3 OnWritten: its end is told to the shim by the record, and counts from then on →
//                4 the shim feeds it (OnMoved): there is room for more, and what waits for it to be
//                fed or taken is answered (Settle).
// Durable:       what is in the ring and in the record; no row of the store. An agent that is killed
//                between 2 and 3 has kept nothing, and the caller, who was not answered, sends again.
#ifndef SHOAL_AGENT_CORE_INPUTS_H_
#define SHOAL_AGENT_CORE_INPUTS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "agent/core/core.h"
#include "agent/core/ports/input_rings.h"
#include "agent/core/ports/peers.h"
#include "agent/core/ports/shim_slots.h"

namespace shoal::agent {

class Inputs {
 public:
  Inputs(Core* core, ShimSlots* slots, InputRings* rings, Peers* peers)
      : core_(core), slots_(slots), rings_(rings), peers_(peers) {}

  // Calls back once, unless it is cancelled by its ticket.
  void Write(WriteInputCommand command, std::shared_ptr<InputTicket> ticket, InputCallback done);
  void Cancel(InputTicket* ticket);
  // The process as it is then.
  absl::StatusOr<const ProcessEntry*> Resize(const ResizeCommand& command);

  // The process has started, or its record says that more was fed, taken, or that it was closed.
  void OnMoved(ProcessEntry* process);
  // Nothing reads it any more.
  void OnOver(ProcessEntry* process);
  // The process is gone, as if it had never been, or was deleted.
  void OnGone(const std::string& process_id);

 private:
  struct Call;
  using CallPtr = std::shared_ptr<Call>;
  // The calls for one process.
  struct Line {
    std::deque<CallPtr> queue;     // to be kept, in this order
    std::vector<CallPtr> waiting;  // kept; to be fed or taken
    bool is_writing = false;       // a piece is on its way to the ring
    bool is_watched = false;       // the shim was told to look how much is taken
  };
  // The one writer that may write now.
  struct Holder {
    std::string writer;
    std::string caller;
    absl::Duration until;                    // CLOCK_BOOTTIME
    std::shared_ptr<const SocketPeer> peer;  // null: not over the Unix socket
  };

  absl::StatusOr<ProcessEntry*> Find(const WriteInputCommand& command) const;
  // The one that holds the input of the process against `writer`; null: none.
  const Holder* FindHolder(const std::string& process_id, const std::string& writer) const;
  absl::Status TakeHold(const ProcessEntry& process, const WriteInputCommand& command);
  void TakeBackEnd(ProcessEntry* process, Line* line);
  void ArmTimer(const std::string& id, const CallPtr& call);
  void Pump(ProcessEntry* process);
  // False: it has to wait. The front of the queue is gone, or its next piece on its way, otherwise.
  bool Step(ProcessEntry* process, Line* line);
  void WritePiece(ProcessEntry* process, Line* line, const CallPtr& call, size_t size);
  void OnWritten(const std::string& id, const CallPtr& call, const InputPiece& piece,
                 const absl::Status& status);
  void Tell(const ProcessEntry& process);
  void Settle(ProcessEntry* process, Line* line);
  void Watch(const ProcessEntry& process, Line* line);
  void Answer(const CallPtr& call, const ProcessEntry& process, bool timed_out);
  void Fail(const CallPtr& call, absl::Status status);
  void FailAll(const std::string& id, const absl::Status& status);
  void DropIfIdle(const std::string& id);

  Core* const core_;
  ShimSlots* const slots_;
  InputRings* const rings_;
  Peers* const peers_;
  absl::flat_hash_map<std::string, Line> lines_;      // by process
  absl::flat_hash_map<std::string, Holder> holders_;  // the same
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_INPUTS_H_
