#include "agent/rpc/audit.h"

#include <spdlog/spdlog.h>

#include <string>

#include "common/escape.h"

namespace shoal::agent {

void Audit(absl::string_view identity, absl::string_view method, absl::string_view what,
           const absl::Status& status) {
  constexpr size_t kMaxWhatBytes = 256;
  std::string caller = EscapeForMessage(identity);
  std::string call(method);
  std::string object = EscapeForMessage(what, kMaxWhatBytes);
  if (status.ok()) {
    spdlog::info("audit identity={} method={} what='{}' decision=allowed", caller, call, object);
    return;
  }
  spdlog::warn("audit identity={} method={} what='{}' decision=refused reason='{}'", caller, call,
               object, EscapeForMessage(absl::string_view(status.message()), kMaxWhatBytes));
}

}  // namespace shoal::agent
