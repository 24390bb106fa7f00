#include "agent/core/selector.h"

#include <fnmatch.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/ids.h"

namespace shoal::agent {
namespace {

// Ids are of A-Z and 2-7; a prefix of one may be written in either case.
bool MayBeginId(const std::string& term) {
  auto may_be_in_id = [](char c) { return absl::ascii_isalpha(c) || (c >= '2' && c <= '7'); };
  return term.size() >= kMinIdPrefix && term.size() <= kIdLength &&
         std::all_of(term.begin(), term.end(), may_be_in_id);
}

bool IsWholeId(const std::string& term) {
  return term.size() == kIdLength && MayBeginId(term) &&
         std::none_of(term.begin(), term.end(), absl::ascii_islower);
}

// The term fits nothing but processes of this name, this job or this id.
bool IsExact(const std::string& term) {
  return !IsGlob(term) && (!MayBeginId(term) || IsWholeId(term));
}

}  // namespace

bool IsGlob(const std::string& term) { return term.find_first_of("*?[") != std::string::npos; }

bool Selector::IsOpen() const {
  return all || !labels.empty() || !session_id.empty() ||
         std::any_of(terms.begin(), terms.end(), IsGlob);
}

bool Selector::IsWide() const {
  return session_id.empty() &&
         (terms.empty() || !std::all_of(terms.begin(), terms.end(), IsWholeId));
}

bool Selector::HasExactTerms() const {
  return !terms.empty() && labels.empty() && session_id.empty() && !all &&
         std::all_of(terms.begin(), terms.end(), IsExact);
}

absl::string_view JobOf(const ProcessEntry& process) {
  absl::string_view name = process.name;
  if (!process.rank || !absl::ConsumeSuffix(&name, absl::StrCat(".", *process.rank))) return "";
  return name;
}

bool TermMatches(const std::string& term, const ProcessEntry& process) {
  if (process.name == term || JobOf(process) == term) return true;
  if (IsGlob(term)) return fnmatch(term.c_str(), process.name.c_str(), 0) == 0;
  return term.size() >= kMinIdPrefix && absl::StartsWith(process.id, absl::AsciiStrToUpper(term));
}

bool Matches(const Selector& selector, const ProcessEntry& process) {
  if (selector.IsEmpty()) return false;
  if (!selector.states.empty() && std::find(selector.states.begin(), selector.states.end(),
                                            process.state) == selector.states.end()) {
    return false;
  }
  if (!selector.session_id.empty() && process.session_id != selector.session_id) return false;
  for (const auto& [key, value] : selector.labels) {
    auto found = process.labels.find(key);
    if (found == process.labels.end() || found->second != value) return false;
  }
  return selector.terms.empty() ||
         std::any_of(selector.terms.begin(), selector.terms.end(),
                     [&](const std::string& term) { return TermMatches(term, process); });
}

}  // namespace shoal::agent
