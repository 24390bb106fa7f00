// Files beside processes, of the real system: <state>/files/ID/, mode 0700.
//
// A blob comes there by a clone that shares its blocks where the file system can do that (FICLONE);
// else, a large program or library, by a hard link, which is read-only; else by a copy.
//
// Ownership:     owns the directory's descriptor; works on the thread of disk work.
// Thread-safety: loop thread only, but for what runs on the thread of disk work.
// Blocking:      never blocks.
#ifndef SHOAL_AGENT_OS_SYSTEM_PROCESS_FILES_H_
#define SHOAL_AGENT_OS_SYSTEM_PROCESS_FILES_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/core/ports/process_files.h"
#include "agent/loop/event_loop.h"
#include "agent/os/blob_store.h"
#include "agent/os/helper_thread.h"
#include "common/unique_fd.h"

namespace shoal::agent {

class SystemProcessFiles : public ProcessFiles {
 public:
  // Makes <state_dir>/files (0700) if it is missing. All of these outlive it but for `loop`, on
  // which nothing of it runs once the loop has stopped.
  static absl::StatusOr<std::unique_ptr<SystemProcessFiles>> Open(const std::string& state_dir,
                                                                  BlobStore* blobs,
                                                                  HelperThread* helper,
                                                                  EventLoop* loop);

  absl::Status Check(const Spec& spec, IsCallers is_callers) override;
  void Prepare(const std::string& id, std::shared_ptr<const Spec> spec,
               std::shared_ptr<const InlineFiles> contents,
               absl::AnyInvocable<void(std::optional<StartFailure>)> done) override;
  std::string DirectoryOf(const std::string& id) const override;
  void Remove(const std::string& id) override;
  void RemoveAllBut(const std::vector<std::string>& keep) override;

 private:
  SystemProcessFiles(std::string path, UniqueFd directory, BlobStore* blobs, HelperThread* helper,
                     EventLoop* loop);

  const std::string path_;
  // shared: this, and closures that still stand in the helper's queue.
  const std::shared_ptr<const UniqueFd> directory_;
  BlobStore* const blobs_;
  HelperThread* const helper_;
  EventLoop* const loop_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_SYSTEM_PROCESS_FILES_H_
