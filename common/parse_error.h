// What a person is told of words that the parser of both programs does not take: what was given, and what may be.
//
// Thread-safety: thread-safe.
// Errors:        none: a sentence of the parser that is not known here is passed on.
#ifndef SHOAL_COMMON_PARSE_ERROR_H_
#define SHOAL_COMMON_PARSE_ERROR_H_

#include <string>

#include "CLI/CLI.hpp"
#include "absl/strings/string_view.h"

namespace shoal {

// "--sort: its value, KEY, is missing" for what CLI11 says in `sentence`, without a full stop.
std::string TellParseError(absl::string_view sentence);

// 'did you mean "--slots"?' for an option that `app` does not have; empty: none of its options is near.
std::string DidYouMeanOption(const CLI::App& app, absl::string_view option);

// "there is no option --slot; did you mean "--slots"?" or "x" of a program without commands, for words that
// `app` has left over; empty: it has none.
std::string TellWordsLeftOver(const CLI::App& app);

}  // namespace shoal

#endif  // SHOAL_COMMON_PARSE_ERROR_H_
