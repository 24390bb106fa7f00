// The pipe through which a child returns what its function returned.
//
// A process gets it as its descriptor 3, which is where a program that closes all descriptors it
// does not know, or opens files of its own, comes by. So it is moved out of the way at once, above
// the limit for descriptors where that may be raised, and looked at before it is written to.
//
// Ownership:     the process that took it; one that it forks has a copy, through which nothing is
//                written.
// Thread-safety: thread-safe.
// Blocking:      Write(), until the shim has taken all of it.
// Errors:        as each method says.
#ifndef SHOAL_CLIENT_SHOAL_CHILD_RESULT_PIPE_H_
#define SHOAL_CLIENT_SHOAL_CHILD_RESULT_PIPE_H_

#include <sys/stat.h>
#include <sys/types.h>

#include <atomic>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace shoal::internal {

class ResultPipe {
 public:
  // Takes it, if descriptor 3 is one, and leaves /dev/null there: a process that is forked from
  // this one has its own pipe in that place. What this process executes inherits neither.
  ResultPipe();

  // In a process that was forked from the one that took it: it is that one's to write, and its end
  // is not seen while this one has it open.
  void Forget();

  // A FunctionResult in two parts, once: what comes later is OK and not written, as is everything where no
  // result is wanted. Then it is closed: a result that is complete can be seen to be. DATA_LOSS:
  // the program has closed it, or it cannot be written.
  absl::Status Write(absl::string_view head, absl::string_view rest);

 private:
  bool IsStillThere(int fd) const;

  std::atomic<int> fd_;  // -1: no result is wanted, or any more
  const pid_t owner_;
  struct stat facts_ = {};
};

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_CHILD_RESULT_PIPE_H_
