#include "client/cli/input_choice.h"

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/escape.h"

namespace shoal::cli {

absl::StatusOr<InputChoice> ParseInputChoice(absl::string_view word, int world, bool is_given) {
  InputChoice choice;
  if (word.empty()) {
    choice.is_ours = world == 1 && is_given;
    return choice;
  }
  if (word == "none") return choice;
  if (word == "all") {
    choice.is_ours = true;
    return choice;
  }
  if (absl::ConsumePrefix(&word, "@")) {
    if (word.empty()) return absl::InvalidArgumentError("--stdin @: the name of the file is empty");
    choice.file = std::string(word);
    return choice;
  }
  int rank = 0;
  if (!absl::SimpleAtoi(word, &rank)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--stdin \"", EscapeForMessage(word),
                     "\" is none of all, none, the number of a rank, @FILE"));
  }
  if (rank < 0 || rank >= world) {
    return absl::InvalidArgumentError(
        absl::StrCat("--stdin ", rank, ": there is no such rank; ",
                     world == 1 ? "there is 0 alone" : absl::StrCat("they are 0 to ", world - 1)));
  }
  choice.is_ours = true;
  if (world > 1) choice.rank = rank;
  return choice;
}

}  // namespace shoal::cli
