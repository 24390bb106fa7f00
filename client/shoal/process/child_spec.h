// The ProcessSpec of a process that this program starts.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_SHOAL_PROCESS_CHILD_SPEC_H_
#define SHOAL_CLIENT_SHOAL_PROCESS_CHILD_SPEC_H_

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "shoal/process_options.h"
#include "shoal/v1/process.pb.h"

namespace shoal::internal {

// What a child runs of this program. The argument is a view: it may be most of the memory.
struct Work {
  std::string function;  // registered name; empty: the command of the options
  absl::string_view argument;

  bool is_function() const { return !function.empty(); }
};

// INVALID_ARGUMENT names the option and what is wrong with it.
absl::Status CheckOptions(const ProcessOptions& options, const Work& work);

bool IsDaemon(const ProcessOptions& options);
StartMethod StartMethodOf(const ProcessOptions& options, const Work& work);

// All but where the program is (argv[0] of a function) and what is sent along.
// REQUIRES: CheckOptions() is OK.
v1::ProcessSpec MakeSpec(const ProcessOptions& options, const Work& work);

}  // namespace shoal::internal

#endif  // SHOAL_CLIENT_SHOAL_PROCESS_CHILD_SPEC_H_
