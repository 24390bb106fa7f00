// What a person should know about a start that the kernel refused with a bare errno.
//
// Thread-safety: thread-safe.
// Blocking:      on the file system; reads at most one page of the program.
#ifndef SHOAL_AGENT_OS_START_EXPLANATION_H_
#define SHOAL_AGENT_OS_START_EXPLANATION_H_

#include <string>

#include "absl/strings/string_view.h"
#include "agent/record/record_layout.h"
#include "agent/spec/spec.h"

namespace shoal::agent {

// Such as "interpreter of '/x/run.py' not found: /usr/bin/python9"; empty when errno says it all.
// `base_path` is the PATH of processes whose spec has none.
std::string ExplainStart(const Spec& spec, absl::string_view base_path, record::Stage stage,
                         int error_number);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OS_START_EXPLANATION_H_
