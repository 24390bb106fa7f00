// What a child does instead of main().
//
// Thread-safety: single-threaded process only.
#ifndef SHOAL_CLIENT_SHOAL_CHILD_CHILD_MAIN_H_
#define SHOAL_CLIENT_SHOAL_CHILD_CHILD_MAIN_H_

namespace shoal::internal {

// Takes name and parent of this process from its environment. If it is to run a function: does so,
// and ends the process. Otherwise returns.
void RunIfChild();

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_CHILD_CHILD_MAIN_H_
