// The same answer from many ranks as one: --gather.
//
// Ownership:     GatheredAnswers owns what ranks have written, up to a bound.
// Thread-safety: one caller at a time.
// Blocking:      never blocks.
#ifndef SHOAL_CLIENT_CLI_GATHER_H_
#define SHOAL_CLIENT_CLI_GATHER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace shoal::cli {

struct RankAnswer {
  int rank = 0;
  std::string host;
  std::string text;             // what it wrote, or its beginning
  int64_t more_bytes = 0;       // that it wrote besides
  uint64_t digest_of_more = 0;  // tells answers apart whose beginnings are equal
  std::string end = {};         // how it failed; empty: it did not
};

// Everything that ranks write, of which all together keep `kMostGatheredBytes` and each its share, but 4 KiB at least:
// of longer answers it is known how long they are, and which are equal.
inline constexpr size_t kMostGatheredBytes = size_t{64} << 20;

class GatheredAnswers {
 public:
  explicit GatheredAnswers(int world);
  void Add(int rank, absl::string_view bytes);
  void SetEnd(int rank, std::string end);
  // One for each rank, also of those that wrote nothing.
  std::vector<RankAnswer> Take();

 private:
  const size_t share_;
  std::vector<RankAnswer> answers_;  // by rank
};

// One block for each different answer, in order of the first rank that gave it: a label, then the
// answer in a column of its own, aligned. The label: the hosts, folded, if all ranks of each gave
// that answer; else the ranks. `answers` are in order of rank, one of each. In brackets stands what no rank has
// written: that it wrote nothing, how many bytes are left out, how it failed.
// `shows_controls`: as of tagged lines on a terminal, where a carriage return would overwrite the label.
std::string RenderGathered(const std::vector<RankAnswer>& answers, bool shows_controls = false);

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_GATHER_H_
