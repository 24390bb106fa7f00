// <run-dir>/reports: the FIFO into which every shim writes 16 bytes after each change of its
// record.
//
// Ownership:     owns the descriptor, which shims are given a duplicate of. The file is never
//                replaced: shims of an agent before this one hold it.
// Thread-safety: loop thread only.
// Blocking:      never blocks.
#ifndef SHOAL_AGENT_OS_REPORT_FIFO_H_
#define SHOAL_AGENT_OS_REPORT_FIFO_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/record/record_layout.h"
#include "common/unique_fd.h"

namespace shoal::agent {

class ReportFifo {
 public:
  struct Batch {
    std::vector<int> slots;   // ascending, each once
    bool overflowed = false;  // it was full: reports may be lost
  };

  // Opens or makes the FIFO. FAILED_PRECONDITION: the path is no FIFO, or another user owns it.
  static absl::StatusOr<std::unique_ptr<ReportFifo>> Open(const std::string& run_dir);

  int fd() const { return fd_.get(); }

  // Everything that is there now.
  Batch Read();

 private:
  ReportFifo(UniqueFd fd, size_t capacity);

  const UniqueFd fd_;
  const size_t capacity_bytes_;
  std::vector<record::Report> buffer_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_REPORT_FIFO_H_
