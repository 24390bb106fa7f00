#include "shoal/line_tagger.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/escape.h"
#include "common/utf8.h"

namespace shoal {
LineTagger::LineTagger(LineTaggerOptions options, TagOf tag_of)
    : options_(std::move(options)), tag_of_(std::move(tag_of)) {}

LineTagger::Line& LineTagger::Find(int rank, v1::StreamKind stream) {
  auto [entry, is_new] = lines_.try_emplace({rank, stream});
  Line& line = entry->second;
  if (is_new) {
    line.tag = tag_of_(rank, stream);
    line.shows_controls = options_.shows_controls && options_.shows_controls(stream);
  }
  return line;
}

void LineTagger::Stamp(int rank, v1::StreamKind stream, std::string text) {
  Find(rank, stream).stamp = std::move(text);
}

void LineTagger::Append(int rank, v1::StreamKind stream, absl::string_view chunk,
                        std::string* out) {
  if (!options_.tag) {
    absl::StrAppend(out, chunk);
    return;
  }
  if (chunk.empty()) return;
  Line& line = Find(rank, stream);
  if (std::exchange(line.ended_in_return, false)) absl::ConsumePrefix(&chunk, "\n");
  while (!chunk.empty()) {
    if (line.begun.empty() && !line.continued) line.begun_stamp = line.stamp;
    const size_t room = options_.max_line_bytes - line.begun.size();
    const size_t end = chunk.find_first_of("\r\n");
    if (end <= room) {  // npos is not
      const bool is_return = chunk[end] == '\r';
      AppendPiece(line, chunk.substr(0, end), is_return ? "\r\n" : "\n", out);
      chunk.remove_prefix(end + 1);
      if (is_return && chunk.empty()) line.ended_in_return = true;
      if (is_return) absl::ConsumePrefix(&chunk, "\n");
      line.continued = false;
    } else if (chunk.size() > room) {
      line.begun.append(chunk.data(), room);
      chunk.remove_prefix(room);
      const size_t unfinished = UnfinishedUtf8(line.begun);
      const std::string rest = line.begun.substr(line.begun.size() - unfinished);
      const bool is_all = unfinished == line.begun.size();
      if (!is_all) line.begun.resize(line.begun.size() - unfinished);
      AppendPiece(line, "", absl::StrCat(options_.continuation_mark, "\n"), out);
      if (!is_all) line.begun = rest;
      line.continued = true;
    } else {
      absl::StrAppend(&line.begun, chunk);
      return;
    }
  }
}

void LineTagger::GiveOutBegun(Line& line, std::string* out) {
  const size_t whole = line.begun.size() - UnfinishedUtf8(line.begun);
  line.ticks = 0;
  if (whole == 0) return;
  const std::string rest = line.begun.substr(whole);
  line.begun.resize(whole);
  AppendPiece(line, "", absl::StrCat(options_.continuation_mark, "\n"), out);
  line.begun = rest;
  line.continued = true;
}

void LineTagger::Tick(v1::StreamKind stream, std::string* out) {
  for (auto& [key, line] : lines_) {
    if (key.second != stream) continue;
    if (line.begun.empty()) {
      line.ticks = 0;
    } else if (++line.ticks >= 2) {
      GiveOutBegun(line, out);
    }
  }
}

void LineTagger::Insert(int rank, v1::StreamKind stream, absl::string_view text, std::string* out) {
  Line& line = Find(rank, stream);
  GiveOutBegun(line, out);
  absl::StrAppend(out, line.stamp, line.tag, text, "\n");
}

// Gives out what was begun and `piece` as one line.
void LineTagger::AppendPiece(Line& line, absl::string_view piece, absl::string_view end,
                             std::string* out) {
  absl::string_view mark = line.continued ? options_.continuation_mark : absl::string_view();
  if (line.shows_controls) {
    absl::StrAppend(out, line.begun_stamp, line.tag, mark,
                    ShowControls(absl::StrCat(line.begun, piece)));
  } else {
    absl::StrAppend(out, line.begun_stamp, line.tag, mark, line.begun, piece);
  }
  absl::StrAppend(out, end);
  line.begun.clear();
  line.ticks = 0;
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
