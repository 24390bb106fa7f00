// A name for a job that was given none and has processes on several hosts, where no agent can tell which
// numbers the others have used. On one host the agent makes it.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_SHOAL_JOB_JOB_NAME_H_
#define SHOAL_CLIENT_SHOAL_JOB_JOB_NAME_H_

#include <string>

#include "absl/strings/string_view.h"

namespace shoal {

// "sleep-k7q2": the program and four characters by chance.
std::string MakeJobName(absl::string_view program);

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_JOB_JOB_NAME_H_
