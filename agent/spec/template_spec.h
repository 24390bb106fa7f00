// The spec of a template: see agent/core/templates.h.
//
// Ownership:     stateless.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_SPEC_TEMPLATE_SPEC_H_
#define SHOAL_AGENT_SPEC_TEMPLATE_SPEC_H_

#include <memory>
#include <string>
#include <vector>

#include "agent/spec/spec.h"

namespace shoal::agent {

// `spec` made that of a template started with `argv`: DETACHED, told to be a template by its
// environment, and otherwise as the processes that are to be forked from it are found: program,
// directory, environment, files. The labels are those of the processes, unless `spec` is for the
// template itself.
std::shared_ptr<const Spec> TemplateSpecOf(const Spec& spec, const std::vector<std::string>& argv);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_SPEC_TEMPLATE_SPEC_H_
