#include "agent/core/select_one.h"

#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "agent/core/selector.h"
#include "common/escape.h"

namespace shoal::agent {

absl::StatusOr<ProcessEntry*> SelectOne(const ProcessTable& table, absl::string_view field,
                                        const std::string& term) {
  if (IsGlob(term)) {
    return absl::InvalidArgumentError(
        absl::StrCat(field, " \"", EscapeForMessage(term), "\" is a glob: name one process"));
  }
  std::set<ProcessEntry*> selected;
  if (absl::Status found = table.SelectExact(term, &selected); !found.ok()) {
    return absl::Status(found.code(), absl::StrCat(field, ": ", found.message()));
  }
  if (selected.size() == 1) return *selected.begin();
  return absl::InvalidArgumentError(absl::StrCat(field, " \"", EscapeForMessage(term), "\" fits ",
                                                 selected.size(), " processes: name one"));
}

}  // namespace shoal::agent
