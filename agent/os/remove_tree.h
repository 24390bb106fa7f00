// Removes a directory with all that is in it, whatever a process has made of it.
//
// Thread-safety: thread-safe, for a tree that no other thread or process removes.
// Blocking:      on the file system, as long as the tree is large.
// Errors:        what cannot be removed (a mount, an immutable file) stays, and what is above it.
#ifndef SHOAL_AGENT_OS_REMOVE_TREE_H_
#define SHOAL_AGENT_OS_REMOVE_TREE_H_

#include <string>

namespace shoal::agent {

// Removes `name` in the directory `parent`: a file, a link (not what it points to) or a tree of any
// depth. True if it is gone.
bool RemoveTree(int parent, const std::string& name);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_REMOVE_TREE_H_
