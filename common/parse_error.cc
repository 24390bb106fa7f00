#include "common/parse_error.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "common/escape.h"
#include "common/spelling.h"

namespace shoal {
namespace {

std::string Quoted(absl::string_view word) {
  return absl::StrCat("\"", EscapeForMessage(word), "\"");
}

// "1 required KEY missing", of an option that has come without a value.
std::string TellMissing(absl::string_view name, absl::string_view rest) {
  int count = 0;
  const size_t space = rest.find(' ');
  if (space == absl::string_view::npos || !absl::SimpleAtoi(rest.substr(0, space), &count)) {
    return "";
  }
  rest.remove_prefix(space);
  if (!absl::ConsumePrefix(&rest, " required ") || !absl::ConsumeSuffix(&rest, " missing")) {
    return "";
  }
  // What is checked stands behind the name of the value: "FORMAT:{table,json}".
  const size_t check = rest.find(":{");
  std::string allowed;
  if (check != absl::string_view::npos) {
    allowed = absl::StrCat(", one of ", absl::StrReplaceAll(rest.substr(check + 1),
                                                            {{"{", ""}, {"}", ""}, {",", ", "}}));
  }
  return absl::StrCat(name, ": its value is missing, ", rest.substr(0, check), allowed);
}

// "xml not in {table,json}"
std::string TellNotIn(absl::string_view name, absl::string_view rest) {
  constexpr absl::string_view kBetween = " not in {";
  const size_t at = rest.rfind(kBetween);
  if (at == absl::string_view::npos || !absl::EndsWith(rest, "}")) return "";
  absl::string_view known = rest.substr(at + kBetween.size());
  known.remove_suffix(1);
  return absl::StrCat(name, ": ", Quoted(rest.substr(0, at)), " is none of ",
                      absl::StrReplaceAll(known, {{",", ", "}}));
}

// "Value x not in range 0 to 9"
std::string TellOutOfRange(absl::string_view name, absl::string_view rest) {
  constexpr absl::string_view kBetween = " not in range ";
  const size_t at = rest.rfind(kBetween);
  if (!absl::ConsumePrefix(&rest, "Value ") || at == absl::string_view::npos) return "";
  const size_t end = at - absl::string_view("Value ").size();
  return absl::StrCat(name, ": ", Quoted(rest.substr(0, end)), " is no number from ",
                      rest.substr(end + kBetween.size()));
}

}  // namespace

std::string TellParseError(absl::string_view sentence) {
  absl::string_view given = sentence;
  if (absl::ConsumePrefix(&given, "Could not convert: ")) {
    const size_t at = given.find(" = ");
    if (at != absl::string_view::npos) {
      return absl::StrCat(given.substr(0, at), ": ", Quoted(given.substr(at + 3)),
                          " is no value for it");
    }
  }
  if (absl::ConsumeSuffix(&given, " is required")) return absl::StrCat("say which ", given);
  const size_t colon = sentence.find(": ");
  if (colon == absl::string_view::npos) return std::string(sentence);
  const absl::string_view name = sentence.substr(0, colon);
  const absl::string_view rest = sentence.substr(colon + 2);
  if (absl::StartsWith(rest, "At Most 1 required")) {
    return absl::StrCat(name, " is given more than once");
  }
  for (const auto tell : {TellMissing, TellOutOfRange, TellNotIn}) {
    if (std::string told = tell(name, rest); !told.empty()) return told;
  }
  return std::string(sentence);
}

std::string DidYouMeanOption(const CLI::App& app, absl::string_view option) {
  if (!absl::StartsWith(option, "--")) return "";
  std::vector<std::string> known;
  for (const CLI::Option* one : app.get_options()) {
    for (const std::string& long_name : one->get_lnames()) {
      known.push_back(absl::StrCat("--", long_name));
    }
  }
  return DidYouMean(option, known);
}

std::string TellWordsLeftOver(const CLI::App& app) {
  const std::vector<std::string> words = app.remaining();
  if (words.empty()) return "";
  const std::string name = words.front().substr(0, words.front().find('='));
  if (!absl::StartsWith(name, "-")) {
    return absl::StrCat(Quoted(words.front()), " means nothing here: there are options alone");
  }
  const std::string meant = DidYouMeanOption(app, name);
  return absl::StrCat("there is no option ", EscapeForMessage(name), meant.empty() ? "" : "; ",
                      meant);
}

}  // namespace shoal
