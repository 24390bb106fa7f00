#include "client/cli/tag_template.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "client/cli/table.h"
#include "common/escape.h"

namespace shoal::cli {
namespace {

constexpr absl::string_view kKnownFields = "{rank}, {local_rank}, {host} and {stream}";

}  // namespace

absl::StatusOr<TagTemplate::Field> TagTemplate::FieldOf(absl::string_view name) {
  if (name == "rank") return Field::kRank;
  if (name == "local_rank") return Field::kLocalRank;
  if (name == "host") return Field::kHost;
  if (name == "stream") return Field::kStream;
  return absl::InvalidArgumentError(
      absl::StrCat("--tag: there is no {", EscapeForMessage(name), "}; known are ", kKnownFields));
}

absl::StatusOr<TagTemplate> TagTemplate::Parse(absl::string_view text) {
  TagTemplate result;
  while (!text.empty()) {
    const size_t open = text.find('{');
    const size_t close = open == absl::string_view::npos ? open : text.find('}', open);
    if (open != absl::string_view::npos && close == absl::string_view::npos) {
      return absl::InvalidArgumentError(absl::StrCat("--tag: ", EscapeForMessage(text.substr(open)),
                                                     " has no }; known are ", kKnownFields));
    }
    Piece piece;
    piece.text =
        absl::StrReplaceAll(text.substr(0, close == absl::string_view::npos ? close : open),
                            {{"\\t", "\t"}, {"\\\\", "\\"}});
    if (close == absl::string_view::npos) {
      text = {};
    } else {
      absl::StatusOr<Field> field = FieldOf(text.substr(open + 1, close - open - 1));
      if (!field.ok()) return field.status();
      piece.field = *field;
      text.remove_prefix(close + 1);
    }
    result.pieces_.push_back(std::move(piece));
  }
  return result;
}

TagTemplate TagTemplate::Default(bool several_hosts) {
  TagTemplate result;
  result.pieces_ = {{"", Field::kRank}, {" │ ", Field::kNone}};
  if (several_hosts)
    result.pieces_ = {{"", Field::kRank}, {" ", Field::kHost}, {" │ ", Field::kNone}};
  return result;
}

std::string TagTemplate::Render(const Values& values, const Widths& widths) const {
  std::string tag;
  for (const Piece& piece : pieces_) {
    tag += piece.text;
    switch (piece.field) {
      case Field::kRank:
        tag += PadLeft(absl::StrCat(values.rank), widths.rank);
        break;
      case Field::kLocalRank:
        tag += PadLeft(absl::StrCat(values.local_rank), widths.local_rank);
        break;
      case Field::kHost:
        tag += Pad(values.host, widths.host);
        break;
      case Field::kStream:
        tag += values.stream;
        break;
      case Field::kNone:
        break;
    }
  }
  return tag;
}

}  // namespace shoal::cli
