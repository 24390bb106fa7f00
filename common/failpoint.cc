#include "common/failpoint.h"

#ifdef SHOAL_FAILPOINTS

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <deque>
#include <string>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace shoal {
namespace {

struct Armed {
  std::string name;
  bool kill = false;
  int due = 1;
  std::atomic<int> hits = 0;
};

[[noreturn]] void RefuseArming(absl::string_view text) {
  const std::string message =
      absl::StrCat("SHOAL_FAILPOINT: \"", text, "\" is not name=kill[@N] or name=error[@N]\n");
  [[maybe_unused]] const ssize_t written = write(2, message.data(), message.size());
  _exit(2);
}

// A typing error here would make a fault test pass without its fault; hence it is fatal.
void Arm(absl::string_view text, std::deque<Armed>* armed) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(text, absl::MaxSplits('=', 1));
  const std::pair<absl::string_view, absl::string_view> action =
      absl::StrSplit(parts.second, absl::MaxSplits('@', 1));
  Armed& point = armed->emplace_back();
  point.name = std::string(parts.first);
  point.kill = action.first == "kill";
  if (!point.kill && action.first != "error") RefuseArming(text);
  if (!action.second.empty() && !absl::SimpleAtoi(action.second, &point.due)) RefuseArming(text);
}

std::deque<Armed>* ReadEnvironment() {
  auto* armed = new std::deque<Armed>;
  const char* text = getenv("SHOAL_FAILPOINT");
  for (absl::string_view one : absl::StrSplit(text ? text : "", ',', absl::SkipEmpty())) {
    Arm(one, armed);
  }
  return armed;
}

}  // namespace

absl::Status ReachFailpoint(absl::string_view name) {
  static std::deque<Armed>* const kArmed = ReadEnvironment();
  for (Armed& point : *kArmed) {
    if (point.name != name || ++point.hits != point.due) continue;
    if (point.kill) kill(getpid(), SIGKILL);
    return absl::UnavailableError(absl::StrCat("failpoint ", name));
  }
  return absl::OkStatus();
}

}  // namespace shoal

#endif  // SHOAL_FAILPOINTS
