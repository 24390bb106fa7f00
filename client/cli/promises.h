// Which of the four promises hold on a host, from the checks of its agent.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_CLIENT_CLI_PROMISES_H_
#define SHOAL_CLIENT_CLI_PROMISES_H_

#include <array>
#include <string>

#include "absl/strings/string_view.h"
#include "shoal/v1/host_service.pb.h"

namespace shoal::cli {

struct Promise {
  absl::string_view name;                           // "no orphan"
  v1::Check::Result result = v1::Check::RESULT_OK;  // the worst of what it stands on
  std::string because;                              // the checks that are not OK: "cgroup, kernel"
};

// In the order of README. A check of an agent that is newer than this program bears on none.
std::array<Promise, 4> PromisesOf(const v1::Host& facts);

// Every check is OK.
bool IsWell(const v1::Host& facts);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_PROMISES_H_
