// How an agent tells an idle shim what to do: packets over a socket of their own (SOCK_SEQPACKET).
//
//   start ID NAME   serve the process ID, whose agent half is written; NAME, which may be empty, is
//                   shown. NULs fill kMaxOrderBytes; behind them the payload, unless it is longer
//                   than kMaxPayloadBytes: then its descriptor is the first that comes along. The
//                   directory of the cgroup, if there is one, is the next.
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
// is over the shim may serve another, by orders as they are written here. (1u << 8 said so where each
// payload was a file.)
inline constexpr uint32_t kStay = 1u << 13;
// Of the shim's half, with kFinal: the shim does not exit, but waits at kOrdersFd.
inline constexpr uint32_t kStays = 1u << 13;
// Of the shim's half: it has no process. The half has an empty id, kFinal and kEmpty, and the shim's
// own PID and start time.
inline constexpr uint32_t kIdle = 1u << 14;

inline constexpr int kOrdersFd = 8;  // the shim's end; only with kStay or kIdleFlag
// argv[2] of a shim that was started without a process: how the orders are written that it is to
// have. A shim of another version knows no such flag, and ends.
inline constexpr char kIdleFlag[] = "--idle=2";

inline constexpr char kStartOrder[] = "start ";
inline constexpr char kFreedOrder[] = "freed";
inline constexpr size_t kMaxOrderBytes = 256;
inline constexpr size_t kMaxPayloadBytes = 8192;
inline constexpr int kMaxOrderDescriptors = 2;

inline constexpr char kIdleTitle[] = "idle";  // what a shim without a process shows behind its slot

// The last argument of a shim that may serve several processes. It makes NULs of these 96 spaces, so
// that there is room for id and name of whichever process it serves.
inline constexpr char kTitle[] =
    "                                                "
    "                                                ";
inline constexpr size_t kTitleRoom = sizeof(kTitle) - 1;

}  // namespace shoal::record

#endif  // SHOAL_AGENT_RECORD_ORDERS_H_
