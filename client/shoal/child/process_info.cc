#include "shoal/process_info.h"

#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

constexpr char kMainName[] = "MainProcess";

std::string FromEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string HostName() {
  if (std::string host = FromEnvironment("SHOAL_HOST"); !host.empty()) return host;
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "localhost";
}

ProcessInfo Current(std::string name, bool daemon) {
  return ProcessInfo(std::move(name), getpid(), HostName(), FromEnvironment("SHOAL_ID"), daemon);
}

struct Identity {
  ProcessInfo current = Current(kMainName, /*daemon=*/false);
  std::optional<ProcessInfo> parent;
  bool is_initialized = false;
  std::atomic<int> last_number{0};
};

Identity& TheIdentity() {
  static auto* const kIdentity = new Identity;
  return *kIdentity;
}

}  // namespace

ProcessInfo::ProcessInfo(std::string name, int pid, std::string host, std::string id, bool daemon)
    : name_(std::move(name)),
      pid_(pid),
      host_(std::move(host)),
      id_(std::move(id)),
      daemon_(daemon) {}

const ProcessInfo& CurrentProcess() { return TheIdentity().current; }
const std::optional<ProcessInfo>& ParentProcess() { return TheIdentity().parent; }

namespace internal {

bool IsChild() { return ParentProcess().has_value(); }

void BecomeMain() {
  Identity& identity = TheIdentity();
  identity.current = Current(kMainName, /*daemon=*/false);
  identity.parent.reset();
  identity.is_initialized = true;
  identity.last_number = 0;
}

void BecomeChild(ProcessInfo parent, bool daemon) {
  Identity& identity = TheIdentity();
  identity.current = Current(FromEnvironment("SHOAL_NAME"), daemon);
  identity.parent = std::move(parent);
  identity.is_initialized = true;
  identity.last_number = -1;  // 0 is for the Process object of this process itself
}

bool IsInitialized() { return TheIdentity().is_initialized; }

int NextProcessNumber() { return ++TheIdentity().last_number; }

std::string DefaultName(const std::string& kind, int number) {
  if (IsChild()) return absl::StrCat(CurrentProcess().name(), ".", number);
  return absl::StrCat(kind, "-", number);
}

}  // namespace internal
}  // namespace shoal
