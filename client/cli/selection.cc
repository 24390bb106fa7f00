#include "client/cli/selection.h"

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/escape.h"
#include "common/status.h"
#include "common/utf8.h"

namespace shoal::cli {
namespace {

constexpr absl::string_view kGlobCharacters = "*?[";
constexpr size_t kMinPrefixLength = 4;

bool IsGlob(absl::string_view text) {
  return text.find_first_of(kGlobCharacters) != absl::string_view::npos;
}

absl::Status CheckUtf8(absl::string_view text, absl::string_view what) {
  if (IsUtf8(text)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " \"", EscapeForMessage(text), "\" is not UTF-8, as all names are"));
}

// Whether `text` begins with "KEY=", such as the next of several labels does.
bool BeginsLabel(absl::string_view text) {
  const size_t equals = text.find('=');
  const absl::string_view key = text.substr(0, equals);
  return equals != absl::string_view::npos && !key.empty() && !absl::StrContains(key, ",");
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> ParseLabels(
    absl::string_view option, const std::vector<std::string>& texts) {
  std::map<std::string, std::string> labels;
  for (absl::string_view rest : texts) {
    SHOAL_RETURN_IF_ERROR(CheckUtf8(rest, option));
    if (!BeginsLabel(rest)) {
      return absl::InvalidArgumentError(
          absl::StrCat(option, " \"", EscapeForMessage(rest), "\" is not of the form key=value"));
    }
    while (!rest.empty()) {
      size_t end = rest.find(',');
      while (end != absl::string_view::npos && !BeginsLabel(rest.substr(end + 1))) {
        end = rest.find(',', end + 1);
      }
      const absl::string_view label = rest.substr(0, end);
      const size_t equals = label.find('=');
      labels[std::string(label.substr(0, equals))] = std::string(label.substr(equals + 1));
      rest = end == absl::string_view::npos ? "" : rest.substr(end + 1);
    }
  }
  return labels;
}

absl::StatusOr<std::optional<int64_t>> TakeOffset(std::vector<std::string>* terms) {
  std::optional<int64_t> offset;
  for (std::string& term : *terms) {
    const size_t colon = term.rfind(':');
    if (colon == std::string::npos || colon < term.rfind('/') + 1) continue;
    int64_t number = 0;
    if (!absl::SimpleAtoi(term.substr(colon + 1), &number) || number < 0) continue;
    if (terms->size() > 1) {
      return absl::InvalidArgumentError("an offset needs one process; give only that one");
    }
    offset = number;
    term.resize(colon);
  }
  return offset;
}

absl::StatusOr<Selection> Selection::Parse(const std::vector<std::string>& terms,
                                           const std::vector<std::string>& labels) {
  Selection selection;
  for (const std::string& term : terms) {
    SHOAL_RETURN_IF_ERROR(CheckUtf8(term, "the selector"));
    size_t slash = term.rfind('/');
    Term parsed = slash == std::string::npos ? Term{"", term}
                                             : Term{term.substr(0, slash), term.substr(slash + 1)};
    bool no_host = slash != std::string::npos && parsed.host.empty();
    if (parsed.text.empty() || no_host) {
      return absl::InvalidArgumentError(absl::StrCat(
          "\"", EscapeForMessage(term),
          "\" selects nothing; try a name, a glob such as 'web-*', an id, or HOST/NAME"));
    }
    selection.terms_.push_back(std::move(parsed));
  }
  SHOAL_ASSIGN_OR_RETURN(selection.labels_, ParseLabels("-l", labels));
  return selection;
}

std::vector<std::string> Selection::hosts() const {
  std::vector<std::string> hosts;
  for (const Term& term : terms_) {
    if (!term.host.empty() && !absl::c_linear_search(hosts, term.host)) hosts.push_back(term.host);
  }
  return hosts;
}

bool Selection::has_free_terms() const {
  return terms_.empty() ||
         absl::c_any_of(terms_, [](const Term& term) { return term.host.empty(); });
}

std::vector<shoal::v1::Selector> Selection::ForHost(const std::vector<std::string>& names) const {
  std::vector<shoal::v1::Selector> selectors;
  shoal::v1::Selector selector;
  selector.mutable_labels()->insert(labels_.begin(), labels_.end());
  if (terms_.empty()) {
    selector.set_all(labels_.empty());
    selectors.push_back(selector);
  }
  for (const Term& term : terms_) {
    if (!term.host.empty() && !absl::c_linear_search(names, term.host)) continue;
    selectors.push_back(selector);
    selectors.back().add_terms(term.text);
  }
  return selectors;
}

bool Selection::IsOpen() const {
  return terms_.empty() ||
         absl::c_any_of(terms_, [](const Term& term) { return IsGlob(term.text); });
}

std::vector<std::string> Selection::ExactTerms() const {
  std::vector<std::string> exact;
  for (const Term& term : terms_) {
    if (IsGlob(term.text)) continue;
    exact.push_back(term.host.empty() ? term.text : absl::StrCat(term.host, "/", term.text));
  }
  return exact;
}

bool Selection::Matches(absl::string_view term, const shoal::v1::Process& process,
                        absl::string_view host) {
  size_t slash = term.rfind('/');
  if (slash != absl::string_view::npos) {
    if (term.substr(0, slash) != host) return false;
    term.remove_prefix(slash + 1);
  }
  if (process.name() == term || process.id() == term) return true;
  if (process.has_rank() && process.name() == absl::StrCat(term, ".", process.rank())) return true;
  return term.size() >= kMinPrefixLength && absl::StartsWithIgnoreCase(process.id(), term);
}

std::string Selection::AndLabels() const {
  if (labels_.empty()) return "";
  return absl::StrCat(" and has ",
                      EscapeForMessage(absl::StrJoin(labels_, ", ", absl::PairFormatter("="))));
}

std::string Selection::ToString() const {
  std::vector<std::string> parts;
  for (const Term& term : terms_) {
    parts.push_back(
        EscapeForMessage(term.host.empty() ? term.text : absl::StrCat(term.host, "/", term.text)));
  }
  for (const auto& [key, value] : labels_) {
    parts.push_back(EscapeForMessage(absl::StrCat("-l ", key, "=", value)));
  }
  return absl::StrJoin(parts, ", ");
}

}  // namespace shoal::cli
