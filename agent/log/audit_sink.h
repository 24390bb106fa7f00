// Where the lines of the audit go: a file, or journald.
//
// Ownership:     owned by the AuditLog.
// Thread-safety: one thread at a time, that of the AuditLog.
// Blocking:      on the disk.
// Errors:        why nothing more can be written now; a later call may succeed.
#ifndef SHOAL_AGENT_LOG_AUDIT_SINK_H_
#define SHOAL_AGENT_LOG_AUDIT_SINK_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace shoal::agent {

class AuditSink {
 public:
  virtual ~AuditSink() = default;

  // As messages name it: "/var/lib/shoal/audit.log".
  virtual const std::string& name() const = 0;
  // Writes the lines in their order. `*written`: how many are there, whole; all of them if OK.
  virtual absl::Status Write(const std::vector<std::string>& lines, size_t* written) = 0;
  // What is not as it should be though lines are written, such as a file that cannot be rotated;
  // empty: nothing.
  virtual std::string trouble() const { return ""; }
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_LOG_AUDIT_SINK_H_
