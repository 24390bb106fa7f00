// Waits for what a process has left to be gone: an exit is told before its tree was seen to be
// empty, and until then its name is held and its record kept.
//
// Thread-safety: thread-safe.
// Blocking:      up to `patience`, and a second more where the host does not answer.
#ifndef SHOAL_CLIENT_SHOAL_PROCESS_EMPTY_TREE_H_
#define SHOAL_CLIENT_SHOAL_PROCESS_EMPTY_TREE_H_

#include <string>

#include "absl/time/time.h"
#include "shoal/host.h"

namespace shoal::internal {

// What a tree without descendants takes at most to be seen empty, on a busy host, too.
inline constexpr absl::Duration kSeenEmptyTime = absl::Seconds(5);

// False: the tree of the process was not seen to be empty.
bool AwaitEmptyTree(Host& host, const std::string& id, absl::Duration patience);

// For a start that was refused because the name is held. False: its holder runs, or its descendants
// have not ended when those of an ended process are to have.
bool AwaitFreeName(Host& host, const std::string& session_id, const std::string& name);

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_PROCESS_EMPTY_TREE_H_
