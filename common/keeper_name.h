// What a process is called that renews leases for another one: no agent stops it with the tree that it is part of, since
// what it keeps on other hosts would lapse.
//
// Ownership, thread-safety, blocking, errors: none; a constant.
#ifndef SHOAL_COMMON_KEEPER_NAME_H_
#define SHOAL_COMMON_KEEPER_NAME_H_

namespace shoal {

inline constexpr char kKeeperName[] = "shoal-keeper";  // as in /proc/PID/comm

}  // namespace shoal

#endif  // SHOAL_COMMON_KEEPER_NAME_H_
