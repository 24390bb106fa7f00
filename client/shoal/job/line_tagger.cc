#include "shoal/line_tagger.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/escape.h"

namespace shoal {
namespace {

// How many bytes at the end begin a UTF-8 character that is not whole; 0 also where that is all.
size_t UnfinishedBytes(absl::string_view text) {
  for (size_t back = 1; back < 4 && back < text.size(); ++back) {
    const auto byte = static_cast<uint8_t>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;  // goes on with a character
    const size_t wanted = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return wanted > back ? back : 0;
  }
  return 0;
}

}  // namespace

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
      const std::string full = absl::StrCat(line.begun, chunk.substr(0, room));
      const size_t end = full.size() - UnfinishedBytes(full);
      line.begun = full.substr(0, end);
      AppendPiece(line, "", absl::StrCat(options_.continuation_mark, "\n"), out);
      line.begun = full.substr(end);
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
