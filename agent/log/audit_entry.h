// One line of the audit: what is known of a call and of its caller, as key="value" pairs.
//
// Ownership:     plain data.
// Thread-safety: plain data.
// Blocking:      never blocks.
// Secrets:       none may get in: names, ids and digests only, no token, no environment, no argument
//                beyond the program.
#ifndef SHOAL_AGENT_LOG_AUDIT_ENTRY_H_
#define SHOAL_AGENT_LOG_AUDIT_ENTRY_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace shoal::agent {

// Fields as agent/README.md, "The audit", has them; empty ones are left out of the line.
struct AuditEntry {
  std::string event = "";
  std::string caller = "";
  std::string kind = "";
  std::string serial = "";
  std::string uid = "";
  std::string pid = "";
  std::string process = "";
  std::string address = "";
  std::string method = "";
  std::string subject = "";
  std::string argv_sha256 = "";
  std::string request_id = "";
  std::string ids = "";
  std::string decision = "";
  std::string result = "";
  std::string reason = "";
};

// `value` between double quotes: quotes and backslashes have a backslash before them, control
// characters and what is no UTF-8 become \xNN, so that no value can end its field or its line.
std::string QuoteField(absl::string_view value);

// With the newline. `count` lines stand for one another from `first` to `last`; 1: one line alone.
std::string ToLine(const AuditEntry& entry, absl::Time first, absl::Time last, int64_t count);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_LOG_AUDIT_ENTRY_H_
