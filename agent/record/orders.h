// How an agent tells an idle shim what to do: packets over a socket of their own (SOCK_SEQPACKET).
//
//   start ID NAME   serve the process ID, whose agent half is written; NAME, which may be empty, is
//                   shown. With descriptors: the payload, then the directory of the cgroup if there
//                   is one.
//   freed           the outcome of the process before is stored, the agent half is empty or another
//                   process's: the shim's half becomes that of an idle shim.
//
// A shim takes all packets before it heeds that the socket was closed: it ends then. The agent keeps
// a duplicate of the shim's end, and can so take back what was not taken.
//
// Thread-safety: constants. Included by the shim: C headers only.
#ifndef SHOAL_AGENT_RECORD_ORDERS_H_
#define SHOAL_AGENT_RECORD_ORDERS_H_

#include <stddef.h>
#include <stdint.h>

namespace shoal::record {

// Further AgentFlags and ShimFlags, for what is said here alone. Of the agent half: once its process
// is over the shim may serve another.
inline constexpr uint32_t kStay = 1u << 8;
// Of the shim's half, with kFinal: the shim does not exit, but waits at kOrdersFd.
inline constexpr uint32_t kStays = 1u << 13;
// Of the shim's half: it has no process. The half has an empty id, kFinal and kEmpty, and the shim's
// own PID and start time.
inline constexpr uint32_t kIdle = 1u << 14;

inline constexpr int kOrdersFd = 8;  // the shim's end; only with kStay or kIdleFlag
inline constexpr char kIdleFlag[] =
    "--idle";  // argv[2] of a shim that was started without a process

inline constexpr char kStartOrder[] = "start ";
inline constexpr char kFreedOrder[] = "freed";
inline constexpr size_t kMaxOrderBytes = 256;
enum OrderDescriptors {
  kOrderPayload,
  kOrderWithoutCgroup,
  kOrderCgroup = kOrderWithoutCgroup,
  kOrderWithCgroup
};

inline constexpr char kIdleTitle[] = "idle";  // what a shim without a process shows behind its slot

// The last argument of a shim that may serve several processes. It makes NULs of these 96 spaces, so
// that there is room for id and name of whichever process it serves.
inline constexpr char kTitle[] =
    "                                                "
    "                                                ";
inline constexpr size_t kTitleRoom = sizeof(kTitle) - 1;

}  // namespace shoal::record

#endif  // SHOAL_AGENT_RECORD_ORDERS_H_
