// What was probably meant by a word that is not known.
//
// Thread-safety: thread-safe.
#ifndef SHOAL_COMMON_SPELLING_H_
#define SHOAL_COMMON_SPELLING_H_

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace shoal {

// The one of `known` that differs from `word` by the fewest letters (added, missing, changed or swapped
// with their neighbours); empty if each differs by more than a third of its letters.
std::string ClosestTo(absl::string_view word, const std::vector<std::string>& known);

// "did you mean \"start\"?", or empty.
std::string DidYouMean(absl::string_view word, const std::vector<std::string>& known);

}  // namespace shoal

#endif  // SHOAL_COMMON_SPELLING_H_
