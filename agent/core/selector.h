// Names processes: by name, glob, id, label, session or state. The core's form of
// shoal.v1.Selector.
//
// Ownership:     plain data.
// Thread-safety: plain data; Matches is thread-safe.
// Blocking:      never blocks.
// Errors:        none; ProcessTable::Select refuses what fits nothing.
#ifndef SHOAL_AGENT_CORE_SELECTOR_H_
#define SHOAL_AGENT_CORE_SELECTOR_H_

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "agent/core/model.h"

namespace shoal::agent {

// Whether the caller still waits for the answer; null: it does.
using IsWanted = std::function<bool()>;

struct Selector {
  std::vector<std::string> terms;
  Labels labels;
  std::string session_id;
  bool all = false;
  std::vector<State> states;

  bool IsEmpty() const { return terms.empty() && labels.empty() && session_id.empty() && !all; }
  // Processes to come may match, too: labels, globs, sessions, all.
  bool IsOpen() const;
  // Processes of any session may match, whatever else they are: it is neither of one session nor of whole ids alone.
  bool IsWide() const;
  // Nothing but terms, each of which fits processes of exactly this name, job or id.
  bool HasExactTerms() const;
};

// An id is told by so many of its first characters, or more.
inline constexpr size_t kMinIdPrefix = 4;

bool IsGlob(const std::string& term);

// The name of the job that the process is a rank of: its own without ".RANK". Empty: of none. It lives as
// long as the entry.
absl::string_view JobOf(const ProcessEntry& process);

// Whether a term alone fits an entry: equal name, that of its job, glob over the name, id or id prefix of
// at least 4 characters.
bool TermMatches(const std::string& term, const ProcessEntry& process);

// Whether the selector fits the entry, without the rule that a name means one process (see
// ProcessTable::Select).
bool Matches(const Selector& selector, const ProcessEntry& process);

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_CORE_SELECTOR_H_
