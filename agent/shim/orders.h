// What an idle shim is told by its agent, and what /proc shows of it.
//
// Ownership:     the descriptors of an order belong to the caller.
// Thread-safety: single-threaded process only.
// Blocking:      AwaitOrder() until the agent has something to say, or has ended.
// Errors:        none.
#ifndef SHOAL_AGENT_SHIM_ORDERS_H_
#define SHOAL_AGENT_SHIM_ORDERS_H_

#include <stddef.h>

#include "agent/record/orders.h"
#include "agent/record/record_layout.h"

namespace shoal::shim {

struct Order {
  enum Kind { kClosed, kStart, kFreed };

  // Of kStart.
  const char* id() const { return text + sizeof(record::kStartOrder) - 1; }  // not terminated
  const char* name() const { return id() + record::kIdBytes + 1; }

  Kind kind = kClosed;
  size_t payload_size = 0;  // in the room that AwaitOrder() was given; 0: the payload is a file
  int payload_fd = -1;
  int cgroup_fd = -1;
  char text[record::kMaxOrderBytes + 1] = {};
};

// The next one. What was sent before the agent ended comes before kClosed. `payload_room`: kMaxPayloadBytes.
Order AwaitOrder(char* payload_room);

// The words behind the slot number in this program's command line.
class Title {
 public:
  // Has no room, and shows nothing else, unless the last of the arguments is kTitle.
  Title(int argc, char** argv);

  bool has_room() const { return room_ != 0; }
  void Show(const char* id, size_t id_size, const char* name);

 private:
  char* begin_ = nullptr;
  size_t room_ = 0;
};

}  // namespace shoal::shim

#endif  // SHOAL_AGENT_SHIM_ORDERS_H_
