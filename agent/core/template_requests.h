// Create and Delete of TemplateService, each call once.
//
// Ownership:     by the supervisor.
// Thread-safety: loop thread only.
// Blocking:      on the file system, to see whether a program changed.
// Errors:        as TemplateService says. An intent without an outcome is carried out by the
//                repeat: there is never a second template of one program, and what has ended stays
//                ended.
#ifndef SHOAL_AGENT_CORE_TEMPLATE_REQUESTS_H_
#define SHOAL_AGENT_CORE_TEMPLATE_REQUESTS_H_

#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "agent/core/core.h"
#include "agent/core/ports/process_files.h"
#include "agent/core/templates.h"
#include "agent/core/terminator.h"

namespace shoal::agent {

class TemplateRequests {
 public:
  TemplateRequests(Core* core, ProcessFiles* files, Templates* templates, Terminator* terminator)
      : core_(core), files_(files), templates_(templates), terminator_(terminator) {}

  void Create(CreateTemplateCommand command, CreateCallback done);
  void Delete(DeleteTemplatesCommand command, OutcomesCallback done);

 private:
  void OnCreated(const LoggedCall& call, const absl::StatusOr<std::string>& id,
                 CreateCallback done);
  void BeginDelete(DeleteTemplatesCommand command,
                   absl::StatusOr<std::vector<ProcessEntry*>> selected, OutcomesCallback done);
  static absl::Status CheckTemplates(const std::vector<ProcessEntry*>& selected);

  Core* const core_;
  ProcessFiles* const files_;
  Templates* const templates_;
  Terminator* const terminator_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_TEMPLATE_REQUESTS_H_
