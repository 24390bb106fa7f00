// What is in a directory, by its descriptor.
//
// Thread-safety: thread-safe; each call reads through a descriptor of its own.
// Blocking:      on the file system.
#ifndef SHOAL_AGENT_OS_DIRECTORY_H_
#define SHOAL_AGENT_OS_DIRECTORY_H_

#include <string>
#include <vector>

#include "absl/functional/function_ref.h"

namespace shoal::agent {

// Names but "." and "..", in no order. False: the directory cannot be read, so there were none.
bool ForEachName(int directory, absl::FunctionRef<void(const char* name, bool is_directory)> visit);

std::vector<std::string> SubdirectoriesOf(int directory);

// Calls `visit` with a descriptor of the directory itself and of each below it, parents first. False: some
// that is there could not be read.
bool ForEachDirectory(int directory, absl::FunctionRef<void(int)> visit);

// Removes the directories below that hold nothing, deepest first; what does not go stays.
void RemoveEmptyBelow(int directory);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_DIRECTORY_H_
