#include <cstdlib>
#include <fstream>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "common/mutex.h"
#include "shoal/session.h"

namespace shoal {
namespace {

constexpr absl::Duration kUsual = absl::Seconds(15);
constexpr absl::Duration kDebugged = absl::Hours(1);
constexpr absl::Duration kOfManaged = absl::Seconds(5);

struct Choice {
  Mutex mu;
  absl::Duration ttl ABSL_GUARDED_BY(mu);  // zero: none was made
};

Choice& TheChoice() {
  static Choice* const kChoice = new Choice;
  return *kChoice;
}

bool IsTraced() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.rfind("TracerPid:", 0) == 0) return line.find_first_of("123456789") != line.npos;
  }
  return false;
}

bool IsDebugged() {
  const char* const wanted = std::getenv("SHOAL_DEBUG");
  return (wanted != nullptr && absl::string_view(wanted) == "1") || IsTraced();
}

// A process of Shoal, or one that such a process has started.
bool IsManaged() { return std::getenv("SHOAL_ID") != nullptr; }

}  // namespace

void SetSessionTtl(absl::Duration ttl) {
  MutexLock lock(&TheChoice().mu);
  TheChoice().ttl = ttl;
}

absl::Duration DefaultSessionTtl(const HostAddress& host) {
  {
    MutexLock lock(&TheChoice().mu);
    if (TheChoice().ttl != absl::ZeroDuration()) return TheChoice().ttl;
  }
  if (IsDebugged()) return kDebugged;
  return IsManaged() && !host.is_unix() ? kOfManaged : kUsual;
}

}  // namespace shoal
