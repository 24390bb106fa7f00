#include "shoal/line_tagger.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/escape.h"

namespace shoal {

LineTagger::LineTagger(LineTaggerOptions options, TagOf tag_of)
    : options_(std::move(options)), tag_of_(std::move(tag_of)) {}

void LineTagger::Append(int rank, v1::StreamKind stream, absl::string_view chunk,
                        std::string* out) {
  if (!options_.tag) {
    absl::StrAppend(out, chunk);
    return;
  }
  auto [entry, is_new] = lines_.try_emplace({rank, stream});
  Line& line = entry->second;
  if (is_new) {
    line.tag = tag_of_(rank, stream);
    line.shows_controls = options_.shows_controls && options_.shows_controls(stream);
  }
  while (!chunk.empty()) {
    size_t room = options_.max_line_bytes - line.begun.size();
    size_t newline = chunk.find('\n');
    if (newline <= room) {  // npos is not
      AppendPiece(line, chunk.substr(0, newline), "\n", out);
      line.continued = false;
      chunk.remove_prefix(newline + 1);
    } else if (chunk.size() > room) {
      AppendPiece(line, chunk.substr(0, room), absl::StrCat(options_.continuation_mark, "\n"), out);
      line.continued = true;
      chunk.remove_prefix(room);
    } else {
      absl::StrAppend(&line.begun, chunk);
      return;
    }
  }
}

// Gives out what was begun and `piece` as one line.
void LineTagger::AppendPiece(Line& line, absl::string_view piece, absl::string_view end,
                             std::string* out) {
  absl::string_view mark = line.continued ? options_.continuation_mark : absl::string_view();
  if (line.shows_controls) {
    const std::string bytes = absl::StrCat(line.begun, piece);
    absl::string_view shown = bytes;
    const absl::string_view carriage = end == "\n" && absl::ConsumeSuffix(&shown, "\r") ? "\r" : "";
    absl::StrAppend(out, line.tag, mark, ShowControls(shown), carriage);
  } else {
    absl::StrAppend(out, line.tag, mark, line.begun, piece);
  }
  absl::StrAppend(out, end);
  line.begun.clear();
}

void LineTagger::FlushLine(Line& line, std::string* out) {
  if (!line.begun.empty()) AppendPiece(line, "", "\n", out);
  line.continued = false;
}

void LineTagger::Flush(int rank, v1::StreamKind stream, std::string* out) {
  auto entry = lines_.find({rank, stream});
  if (entry == lines_.end()) return;
  FlushLine(entry->second, out);
  lines_.erase(entry);
}

void LineTagger::FlushAll(std::string* out) {
  for (auto& [key, line] : lines_) FlushLine(line, out);
  lines_.clear();
}

}  // namespace shoal
