// The audit as messages to journald, of the identifier "shoald-audit".
//
// Ownership:     owns its socket.
// Thread-safety: one thread at a time.
// Blocking:      up to 1 s while journald does not read.
// Errors:        there is no journald, or it does not read.
#ifndef SHOAL_AGENT_LOG_AUDIT_JOURNAL_H_
#define SHOAL_AGENT_LOG_AUDIT_JOURNAL_H_

#include <string>
#include <vector>

#include "agent/log/audit_sink.h"
#include "common/unique_fd.h"

namespace shoal::agent {

class AuditJournal final : public AuditSink {
 public:
  static constexpr char kSocket[] = "/run/systemd/journal/socket";

  explicit AuditJournal(std::string socket = kSocket) : socket_(std::move(socket)) {}

  const std::string& name() const override { return name_; }
  absl::Status Write(const std::vector<std::string>& lines, size_t* written) override;

 private:
  absl::Status Connect();

  const std::string socket_;
  const std::string name_ = "journald";
  UniqueFd fd_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_LOG_AUDIT_JOURNAL_H_
