#include "client/cli/selection.h"

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/escape.h"

namespace shoal::cli {
namespace {

constexpr absl::string_view kGlobCharacters = "*?[";
constexpr size_t kMinPrefixLength = 4;

bool IsGlob(absl::string_view text) {
  return text.find_first_of(kGlobCharacters) != absl::string_view::npos;
}

}  // namespace

absl::StatusOr<Selection> Selection::Parse(const std::vector<std::string>& terms,
                                           const std::vector<std::string>& labels) {
  Selection selection;
  for (const std::string& term : terms) {
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
  for (const std::string& label : labels) {
    size_t equals = label.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("-l \"", EscapeForMessage(label), "\" is not of the form key=value"));
    }
    selection.labels_[label.substr(0, equals)] = label.substr(equals + 1);
  }
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

std::vector<shoal::v1::Selector> Selection::ForHost(absl::string_view host,
                                                    absl::string_view also_called) const {
  std::vector<shoal::v1::Selector> selectors;
  shoal::v1::Selector selector;
  selector.mutable_labels()->insert(labels_.begin(), labels_.end());
  if (terms_.empty()) {
    selector.set_all(labels_.empty());
    selectors.push_back(selector);
  }
  for (const Term& term : terms_) {
    if (!term.host.empty() && term.host != host && term.host != also_called) continue;
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
  return term.size() >= kMinPrefixLength && absl::StartsWithIgnoreCase(process.id(), term);
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
