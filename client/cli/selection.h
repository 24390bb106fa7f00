// SELECTOR: which processes a command is about, on each of several hosts. The one room for its grammar.
//
// Ownership:     a value.
// Thread-safety: as a plain value.
#ifndef SHOAL_CLIENT_CLI_SELECTION_H_
#define SHOAL_CLIENT_CLI_SELECTION_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "shoal/v1/process.pb.h"

namespace shoal::cli {

// The grammar, for the foot of `shoal --help`.
inline constexpr char kSelectorRules[] =
    "Selectors: a SELECTOR is the name of a process or of a job, which means all its ranks; a glob "
    "over names such as 'web-*' ('*' is all); an id, or 4 characters or more that only one begins "
    "with. A name means what lives of those that had it, or else what was started last. "
    "HOST/SELECTOR is about that host alone. Several select what any of them does; -l "
    "KEY=VALUE[,KEY=VALUE] narrows that to what has the labels. A name or an id that no process "
    "has is "
    "an error.\n";

// KEY=VALUE, several with commas between; a comma without KEY= behind it is one of the value. `option` is
// what an error calls them. INVALID_ARGUMENT: what is neither.
absl::StatusOr<std::map<std::string, std::string>> ParseLabels(
    absl::string_view option, const std::vector<std::string>& texts);

// Takes ":OFFSET" off the one term that has it. INVALID_ARGUMENT: there are other terms, too.
absl::StatusOr<std::optional<int64_t>> TakeOffset(std::vector<std::string>* terms);

class Selection {
 public:
  // `terms` are names, globs, ids, prefixes of ids, each maybe behind "HOST/"; `labels` as for
  // ParseLabels. INVALID_ARGUMENT for what is none of these, or no UTF-8.
  static absl::StatusOr<Selection> Parse(const std::vector<std::string>& terms,
                                         const std::vector<std::string>& labels);

  // Nothing was named.
  bool empty() const { return terms_.empty() && labels_.empty(); }

  // Hosts that stand before a "/", each once.
  std::vector<std::string> hosts() const;
  // True if some term may be about any host.
  bool has_free_terms() const;

  // What to ask the host that has these names before a "/" (Invocation::NamesOf): one selector for
  // each term that is about it, since an agent refuses a selector of which one term matches
  // nothing. An empty selection is `all`.
  std::vector<shoal::v1::Selector> ForHost(const std::vector<std::string>& names) const;

  // Processes to come may match, too: labels and globs.
  bool IsOpen() const;

  // Terms that are no glob, as written: each has to match on some host.
  std::vector<std::string> ExactTerms() const;

  // Whether `term` (as in ExactTerms) is what selects `process` of `host`.
  static bool Matches(absl::string_view term, const shoal::v1::Process& process,
                      absl::string_view host);

  // " and has job=x, k=v", or nothing without labels.
  std::string AndLabels() const;
  // For "nothing matches …": the terms and labels as written.
  std::string ToString() const;

 private:
  struct Term {
    std::string host;  // empty: any
    std::string text;
  };

  std::vector<Term> terms_;
  std::map<std::string, std::string> labels_;
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_SELECTION_H_
