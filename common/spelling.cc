#include "common/spelling.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

// Longer words are not compared, since that takes time with the square of their length.
constexpr size_t kMostLetters = 64;

// Damerau-Levenshtein, of neighbours once: row i has the distances of the first i letters of `a`.
size_t DistanceOf(absl::string_view a, absl::string_view b) {
  std::vector<std::vector<size_t>> rows(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) rows[i][0] = i;
  for (size_t k = 0; k <= b.size(); ++k) rows[0][k] = k;
  for (size_t i = 1; i <= a.size(); ++i) {
    for (size_t k = 1; k <= b.size(); ++k) {
      const size_t changed = rows[i - 1][k - 1] + (a[i - 1] == b[k - 1] ? 0 : 1);
      rows[i][k] = std::min({changed, rows[i - 1][k] + 1, rows[i][k - 1] + 1});
      const bool is_swapped = i > 1 && k > 1 && a[i - 1] == b[k - 2] && a[i - 2] == b[k - 1];
      if (is_swapped) rows[i][k] = std::min(rows[i][k], rows[i - 2][k - 2] + 1);
    }
  }
  return rows[a.size()][b.size()];
}

}  // namespace

std::string ClosestTo(absl::string_view word, const std::vector<std::string>& known) {
  std::string closest;
  size_t least = kMostLetters;
  if (word.empty() || word.size() > kMostLetters) return closest;
  for (const std::string& candidate : known) {
    const size_t letters = std::max(word.size(), candidate.size());
    if (candidate.empty() || letters > kMostLetters) continue;
    const size_t distance = DistanceOf(word, candidate);
    if (distance >= least || distance * 3 > letters) continue;
    least = distance;
    closest = candidate;
  }
  return closest;
}

std::string DidYouMean(absl::string_view word, const std::vector<std::string>& known) {
  const std::string closest = ClosestTo(word, known);
  return closest.empty() ? "" : absl::StrCat("did you mean \"", closest, "\"?");
}

}  // namespace shoal
