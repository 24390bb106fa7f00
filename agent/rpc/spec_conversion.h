// What is to run, from the wire: every check that needs no state, with the answer FAULTS.md
// expects.
//
// Thread-safety: thread-safe.
// Errors:        INVALID_ARGUMENT names the field and the reason, user bytes escaped.
#ifndef SHOAL_AGENT_RPC_SPEC_CONVERSION_H_
#define SHOAL_AGENT_RPC_SPEC_CONVERSION_H_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "agent/core/model.h"
#include "shoal/v1/process.pb.h"

namespace shoal::agent {

inline constexpr int kMaxArguments = 65'536;
inline constexpr size_t kMaxArgumentBytes = 131'071;  // MAX_ARG_STRLEN - 1, execve(2)
inline constexpr size_t kMaxNameBytes = 128;

struct SpecLimits {
  // For argv and environment together, with a pointer for each: execve(2) refuses more than a
  // quarter of RLIMIT_STACK.
  size_t max_total_bytes = size_t{1} << 20;
};

// The limits of processes that this process starts.
SpecLimits LimitsOfThisProcess();

// "" or [A-Za-z0-9._-]{1,128} without a leading dot.
absl::Status CheckName(absl::string_view name);

// Checks and fills in the defaults; `has_session` decides what an unspecified lifetime means. The
// wire form inside has the defaults, too, so that it means the same when read again without the
// request around it.
absl::StatusOr<std::shared_ptr<const Spec>> ToSpec(const v1::ProcessSpec& proto, bool has_session,
                                                   const SpecLimits& limits);

// `spec` made that of a template started with `argv`: DETACHED, told to be a template by its
// environment, and otherwise as the processes that are to be forked from it are found: program,
// directory, environment, files. The labels are those of the processes, unless `spec` is for the
// template itself.
std::shared_ptr<const Spec> TemplateSpecOf(const Spec& spec, const std::vector<std::string>& argv);

// The contents among `files` that came with the request, parallel to Spec::files; null if there are
// none. REQUIRES: ToSpec was OK.
std::shared_ptr<const InlineFiles> InlineFilesOf(const v1::ProcessSpec& proto);

// Reads Spec::wire back, as the store keeps it. DATA_LOSS when it is damaged.
absl::StatusOr<std::shared_ptr<const Spec>> SpecFromWire(absl::string_view wire);

// INVALID_ARGUMENT for a count, rank or host list that cannot be.
absl::Status CheckRanks(const v1::Ranks& ranks, absl::string_view name);

// SHOAL_RANK=… and the rest for process `index` of `ranks`.
std::vector<std::string> RankEnvironment(const v1::Ranks& ranks, int index);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_SPEC_CONVERSION_H_
