// The programs of this host, as files.
//
// Ownership:     main owns the implementation, which outlives the supervisor.
// Thread-safety: loop thread only.
// Blocking:      on the file system.
// Errors:        as said at each method.
#ifndef SHOAL_AGENT_CORE_PORTS_PROGRAMS_H_
#define SHOAL_AGENT_CORE_PORTS_PROGRAMS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "agent/core/model.h"
#include "agent/record/record_layout.h"

namespace shoal::agent {

// A program as templates are told apart by it.
struct TemplateProgram {
  std::string key;      // where it is: the resolved path, or the digest of what was shipped
  std::string version;  // what it is now; another one means that it was changed
  std::vector<std::string> argv;  // what a template of it is started with
};

class Programs {
 public:
  virtual ~Programs() = default;

  // NOT_FOUND: there is no such program.
  virtual absl::StatusOr<TemplateProgram> FindProgram(const Spec& spec) = 0;

  // What a person should know about a start that the kernel refused, such as "interpreter of '/x'
  // not found"; empty when errno says it all.
  virtual std::string Explain(const Spec& spec, record::Stage stage, int error_number) = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_PORTS_PROGRAMS_H_
