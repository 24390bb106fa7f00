// The audit as a file of its own, mode 0600, that is rotated at its size.
//
// What is there goes on: a line that an agent left half is ended first. Before each batch the path is
// looked at, so that a file that was deleted or moved away (logrotate) is made again; one that was
// truncated in its place is appended to. PATH becomes PATH.1, that PATH.2, up to `kept`. Where it
// cannot be renamed it grows on, and trouble() says so. A line that had no room is taken back, so
// that none stands there half.
//
// Ownership:     owns its descriptor; nothing else writes to the file.
// Thread-safety: one thread at a time.
// Blocking:      on the disk; never fsync.
// Errors:        those of open(2), fstat(2) and write(2), with the path.
#ifndef SHOAL_AGENT_LOG_AUDIT_FILE_H_
#define SHOAL_AGENT_LOG_AUDIT_FILE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "agent/log/audit_sink.h"
#include "common/unique_fd.h"

namespace shoal::agent {

class AuditFile final : public AuditSink {
 public:
  static constexpr int64_t kRotateBytes = int64_t{64} << 20;
  static constexpr int kKept = 4;

  explicit AuditFile(std::string path, int64_t rotate_bytes = kRotateBytes, int kept = kKept)
      : path_(std::move(path)), rotate_bytes_(rotate_bytes), kept_(kept) {}

  const std::string& name() const override { return path_; }
  absl::Status Write(const std::vector<std::string>& lines, size_t* written) override;
  std::string trouble() const override { return trouble_; }

 private:
  absl::Status Open();
  // The open file is the one at the path.
  bool IsAtPath() const;
  absl::Status MaybeRotate();
  absl::Status Append(const std::string& bytes, size_t* done);

  const std::string path_;
  const int64_t rotate_bytes_;
  const int kept_;
  UniqueFd fd_;
  int64_t size_ = 0;
  std::string trouble_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_LOG_AUDIT_FILE_H_
