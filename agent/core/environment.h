// The environment that a process is started with, made without copying what its spec has.
//
// Ownership:     Environments by the launcher; an Environment belongs to one start. Variables are
//                looked at where they lie: in the options, in the spec of the process, in the
//                Environment.
// Thread-safety: single-threaded.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_AGENT_CORE_ENVIRONMENT_H_
#define SHOAL_AGENT_CORE_ENVIRONMENT_H_

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "agent/core/model.h"
#include "agent/core/options.h"

namespace shoal::agent {

// KEY=VALUE each, of each key one. Valid as long as the spec that it was made of.
class Environment {
 public:
  using Positions = absl::flat_hash_map<absl::string_view, size_t>;  // by key

  // `positions`: of `variables`; outlives this.
  Environment(std::vector<absl::string_view> variables, const Positions* positions)
      : variables_(std::move(variables)), positions_(positions), shared_(variables_.size()) {}
  Environment(Environment&&) = default;

  const std::vector<absl::string_view>& variables() const { return variables_; }
  // Empty if there is none.
  absl::string_view ValueOf(absl::string_view key) const;
  // Replaces the one of the same key in its place, or adds it. It outlives this.
  void Put(absl::string_view variable);
  void PutOwn(std::string variable);

 private:
  absl::string_view* Find(absl::string_view key);

  std::vector<absl::string_view> variables_;
  const Positions* const positions_;
  const size_t shared_;          // as many of the first as `positions_` knows
  std::deque<std::string> own_;  // of which some of the variables are
};

class Environments {
 public:
  explicit Environments(const SupervisorOptions* options) : options_(options) {}

  // The agent's base, the spec's, the rank's and the agent's own variables; of one key the last.
  // Valid until the next call.
  Environment Of(const ProcessEntry& process);

 private:
  void Merge(const ProcessEntry& process);

  const SupervisorOptions* const options_;
  // What the ranks of a batch have in common, of the spec that was asked for last; it is not kept
  // alive, since its values are to be forgotten with the last process that has them.
  std::weak_ptr<const Spec> spec_;
  bool is_template_ = false;
  std::vector<std::string> of_terminal_;
  std::vector<absl::string_view> variables_;
  Environment::Positions positions_;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_ENVIRONMENT_H_
