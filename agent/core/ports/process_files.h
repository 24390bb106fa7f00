// The files that processes are started with, each process's in a directory of its own.
//
// Ownership:     main owns the implementation, which outlives the supervisor.
// Thread-safety: loop thread only.
// Blocking:      never blocks; the work is done by another thread.
// Errors:        as said at each method.
#ifndef SHOAL_AGENT_CORE_PORTS_PROCESS_FILES_H_
#define SHOAL_AGENT_CORE_PORTS_PROCESS_FILES_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "agent/core/model.h"

namespace shoal::agent {

class ProcessFiles {
 public:
  virtual ~ProcessFiles() = default;
  // Whether the caller may use what this identity has sent; for "": what every identity has sent.
  using IsCallers = absl::FunctionRef<bool(absl::string_view identity)>;
  // FAILED_PRECONDITION names the first of the spec's blobs that this host lacks, or has from others
  // alone. What it has counts as used now, so that it is still there when the process starts. Never blocks.
  virtual absl::Status Check(const Spec& spec, IsCallers is_callers) = 0;
  // Makes the directory of `id` and puts the files of `spec` there, on another thread; `done` runs
  // on the loop with what failed, if something did. Never blocks.
  virtual void Prepare(const std::string& id, std::shared_ptr<const Spec> spec,
                       std::shared_ptr<const InlineFiles> contents,
                       absl::AnyInvocable<void(std::optional<StartFailure>)> done) = 0;
  virtual std::string DirectoryOf(const std::string& id) const = 0;
  // Removes the directory of `id`, after a Prepare that is under way. Never blocks.
  virtual void Remove(const std::string& id) = 0;
  // For recovery: removes the directories of ids that `keep` does not know. Never blocks.
  virtual void RemoveAllBut(const std::vector<std::string>& keep) = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_PORTS_PROCESS_FILES_H_
