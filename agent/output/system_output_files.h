// Output files of the real system: <state>/output.
//
// Ownership:     owns the directory's descriptor; removes on a helper thread of main's.
// Thread-safety: thread-safe; `helper` outlives it.
// Blocking:      Tail, Measure and RemoveAllBut (reads the directory) on the disk; Remove never.
#ifndef SHOAL_AGENT_OUTPUT_SYSTEM_OUTPUT_FILES_H_
#define SHOAL_AGENT_OUTPUT_SYSTEM_OUTPUT_FILES_H_

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/core/ports/output_files.h"
#include "agent/os/helper_thread.h"
#include "agent/output/segment_reader.h"
#include "common/unique_fd.h"

namespace shoal::agent {

class SystemOutputFiles : public OutputFiles {
 public:
  // Makes <state_dir>/output (0700) if it is missing. FAILED_PRECONDITION: another user owns it.
  static absl::StatusOr<std::unique_ptr<SystemOutputFiles>> Open(const std::string& state_dir,
                                                                 HelperThread* helper);
  ~SystemOutputFiles() override;

  std::string Tail(const std::string& id, int stream, const record::StreamState& state,
                   int64_t segment_bytes, size_t max_bytes) override;
  void Remove(const std::string& id, const Streams& streams) override;
  void RemoveAllBut(const std::vector<std::string>& keep) override;
  Streams Measure(const std::string& id, int64_t segment_bytes) override;

  // For readers and for shims; valid as long as this lives.
  int directory() const;

 private:
  class Remover;
  SystemOutputFiles(UniqueFd directory, HelperThread* helper);

  // shared: this, and removals that still stand in the helper's queue.
  const std::shared_ptr<Remover> remover_;
  HelperThread* const helper_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OUTPUT_SYSTEM_OUTPUT_FILES_H_
