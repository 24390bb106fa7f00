#include "agent/shim/failpoint.h"

#ifdef SHOAL_FAILPOINTS

#include <signal.h>
#include <string.h>
#include <unistd.h>

namespace shoal::shim {
namespace {

constexpr const char* kNames[] = {"agent-read", "first-half", "forked", "executed", "started",
                                  "end-begun",  "signalled",  "killed", "reaped",   "exit-written",
                                  "moved",      "empty",      "final"};
constexpr char kVariable[] = "SHOAL_SHIM_FAILPOINT=";

int armed = -1;

}  // namespace

void ArmFailpoint() {
  char** kept = environ;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (strncmp(*entry, kVariable, sizeof(kVariable) - 1) != 0) {
      *kept++ = *entry;
      continue;
    }
    const char* value = *entry + sizeof(kVariable) - 1;
    const size_t length = strcspn(value, "=");
    for (int i = 0; i < static_cast<int>(sizeof(kNames) / sizeof(kNames[0])); ++i) {
      if (strlen(kNames[i]) == length && strncmp(kNames[i], value, length) == 0) armed = i;
    }
  }
  *kept = nullptr;
}

void Reach(Step step) {
  if (static_cast<int>(step) == armed) kill(getpid(), SIGKILL);
}

}  // namespace shoal::shim

#endif  // SHOAL_FAILPOINTS
