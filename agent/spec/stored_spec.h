// A spec as bytes that outlive the agent: the serialized shoal.v1.ProcessSpec, with its defaults
// filled in, so that it means the same without the request around it.
//
// Ownership:     stateless.
// Thread-safety: thread-safe.
// Blocking:      never blocks.
// Errors:        DATA_LOSS: what was stored is damaged.
#ifndef SHOAL_AGENT_SPEC_STORED_SPEC_H_
#define SHOAL_AGENT_SPEC_STORED_SPEC_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/spec/spec.h"

namespace shoal::agent {

// With the environment, without the contents of files.
std::string StoredFormOf(const Spec& spec);

absl::StatusOr<std::shared_ptr<const Spec>> SpecFromStored(absl::string_view stored);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_SPEC_STORED_SPEC_H_
