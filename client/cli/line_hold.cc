#include "client/cli/line_hold.h"

#include <cstddef>

#include "absl/strings/str_cat.h"

namespace shoal::cli {
namespace {

constexpr size_t kMostHeld = size_t{64} << 10;

}  // namespace

std::string LineHold::Take(const std::string& id, v1::StreamKind stream, absl::string_view chunk) {
  std::string& begun = begun_[{id, stream}];
  const size_t newline = chunk.rfind('\n');
  size_t whole = newline == absl::string_view::npos ? 0 : newline + 1;
  if (begun.size() + chunk.size() > kMostHeld && whole == 0) whole = chunk.size();
  if (whole == 0) {
    absl::StrAppend(&begun, chunk);
    return "";
  }
  std::string lines = absl::StrCat(begun, chunk.substr(0, whole));
  begun.assign(chunk.data() + whole, chunk.size() - whole);
  return lines;
}

std::string LineHold::TakeRest(const std::string& id, v1::StreamKind stream) {
  return std::exchange(begun_[{id, stream}], "");
}

}  // namespace shoal::cli
