#include "client/cli/host_names.h"

#include <cstdint>
#include <optional>

#include "absl/algorithm/container.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace shoal::cli {
namespace {

// A name cut before the digits at its end.
struct Numbered {
  std::string stem;
  std::string digits;
  int64_t number = 0;
};

std::optional<Numbered> Cut(const std::string& name) {
  size_t end = name.find_last_not_of("0123456789");
  size_t begin = end == std::string::npos ? 0 : end + 1;
  Numbered cut{name.substr(0, begin), name.substr(begin), 0};
  // An address is not a series: 10.0.0.1 and 10.0.0.2 stay as they are, so does host:7420.
  if (cut.digits.empty() || cut.stem.empty() || cut.stem.back() == '.' || cut.stem.back() == ':') {
    return std::nullopt;
  }
  if (!absl::SimpleAtoi(cut.digits, &cut.number)) return std::nullopt;
  return cut;
}

// Whether `next` is what is written after `last` when one counts on.
bool Follows(const Numbered& last, const Numbered& next) {
  if (last.stem != next.stem || next.number != last.number + 1) return false;
  bool padded = next.digits[0] == '0' || last.digits[0] == '0';
  return !padded || next.digits.size() == last.digits.size();
}

}  // namespace

std::string FoldNames(const std::vector<std::string>& names) {
  std::vector<std::string> seen;
  std::vector<std::string> parts;
  for (const std::string& name : names) {
    if (!absl::c_linear_search(seen, name)) seen.push_back(name);
  }
  for (size_t i = 0; i < seen.size();) {
    std::optional<Numbered> first = Cut(seen[i]);
    std::optional<Numbered> last = first;
    size_t next = i + 1;
    while (last.has_value() && next < seen.size()) {
      std::optional<Numbered> candidate = Cut(seen[next]);
      if (!candidate.has_value() || !Follows(*last, *candidate)) break;
      last = candidate;
      ++next;
    }
    parts.push_back(next == i + 1
                        ? seen[i]
                        : absl::StrCat(first->stem, "[", first->digits, "-", last->digits, "]"));
    i = next;
  }
  return absl::StrJoin(parts, ",");
}

std::string FoldRanks(const std::vector<int>& ranks) {
  std::vector<std::string> parts;
  for (size_t i = 0; i < ranks.size();) {
    size_t last = i;
    while (last + 1 < ranks.size() && ranks[last + 1] == ranks[last] + 1) ++last;
    parts.push_back(last == i ? absl::StrCat(ranks[i]) : absl::StrCat(ranks[i], "-", ranks[last]));
    i = last + 1;
  }
  return absl::StrJoin(parts, ",");
}

}  // namespace shoal::cli
