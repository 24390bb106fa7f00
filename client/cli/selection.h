// SELECTOR: which processes a command is about, on each of several hosts.
//
// Ownership:     a value.
// Thread-safety: as a plain value.
#ifndef SHOAL_CLIENT_CLI_SELECTION_H_
#define SHOAL_CLIENT_CLI_SELECTION_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "shoal/v1/process.pb.h"

namespace shoal::cli {

class Selection {
 public:
  // `terms` are names, globs, ids, prefixes of ids, each maybe behind "HOST/"; `labels` are
  // key=value. INVALID_ARGUMENT for what is none of these.
  static absl::StatusOr<Selection> Parse(const std::vector<std::string>& terms,
                                         const std::vector<std::string>& labels);

  // Nothing was named.
  bool empty() const { return terms_.empty() && labels_.empty(); }

  // Hosts that stand before a "/", each once.
  std::vector<std::string> hosts() const;
  // True if some term may be about any host.
  bool has_free_terms() const;

  // What to ask the host called `host`, and as the user wrote it `also_called`: one selector for
  // each term that is about it, since an agent refuses a selector of which one term matches
  // nothing. An empty selection is `all`.
  std::vector<shoal::v1::Selector> ForHost(absl::string_view host,
                                           absl::string_view also_called = "") const;

  // Processes to come may match, too: labels and globs.
  bool IsOpen() const;

  // Terms that name one process at most each (no glob), as written: each has to match on some host.
  std::vector<std::string> ExactTerms() const;

  // Whether `term` (as in ExactTerms) is what selects `process` of `host`.
  static bool Matches(absl::string_view term, const shoal::v1::Process& process,
                      absl::string_view host);

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
