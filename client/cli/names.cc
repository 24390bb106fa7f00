#include "client/cli/names.h"

#include <memory>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "common/mutex.h"

namespace shoal::cli {
namespace {

// Shared with the look-ups, which may outlive the command.
struct Answers {
  Mutex mu;
  int missing ABSL_GUARDED_BY(mu) = 0;
  std::optional<size_t> unknown ABSL_GUARDED_BY(mu);  // the first that has no address
};

}  // namespace

absl::Status CheckThatNamesResolve(const std::vector<HostAddress>& addresses,
                                   absl::Duration patience, const LookUp& look_up) {
  auto answers = std::make_shared<Answers>();
  for (size_t i = 0; i < addresses.size(); ++i) {
    if (addresses[i].is_loopback()) continue;
    {
      MutexLock lock(&answers->mu);
      ++answers->missing;
    }
    look_up(addresses[i].host, [answers, i](const absl::StatusOr<Addresses>& found) {
      MutexLock lock(&answers->mu);
      --answers->missing;
      const bool is_first = !answers->unknown.has_value() || i < *answers->unknown;
      if (absl::IsNotFound(found.status()) && is_first) answers->unknown = i;
    });
  }
  MutexLock lock(&answers->mu);
  auto are_complete = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(answers->mu) {
    return answers->missing == 0;
  };
  answers->mu.AwaitWithTimeout(are_complete, patience);
  if (!answers->unknown.has_value()) return absl::OkStatus();
  return absl::UnavailableError(
      absl::StrCat("host \"", addresses[*answers->unknown].name, "\" does not resolve"));
}

}  // namespace shoal::cli
