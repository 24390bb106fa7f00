// Turns the chunks of many processes' output into whole lines, each with its tag before it.
//
// A line is never torn: it is given out when its newline has come, or with Flush(), or when it grew
// to `max_line_bytes`; then it ends in the continuation mark, and its next piece begins with one. No
// UTF-8 character is cut so.
//
// Ownership:     owns the beginnings of lines that are not finished, at most max_line_bytes per
//                stream.
// Thread-safety: one caller at a time.
// Blocking:      never blocks.
#ifndef SHOAL_CLIENT_SHOAL_LINE_TAGGER_H_
#define SHOAL_CLIENT_SHOAL_LINE_TAGGER_H_

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "shoal/v1/process.pb.h"

namespace shoal {

struct LineTaggerOptions {
  // False: bytes pass untouched, as they come.
  bool tag = true;
  size_t max_line_bytes = size_t{64} << 10;
  std::string continuation_mark = "…";
  // Whether control characters of this stream's lines are shown, not obeyed: one could overwrite the
  // tag. Null: they pass as they are. A \r right before the newline passes always.
  std::function<bool(v1::StreamKind)> shows_controls = nullptr;
};

class LineTagger {
 public:
  // The text before each line of this rank and stream, such as " 3 node1 │ ". Asked once for each.
  using TagOf = std::function<std::string(int rank, v1::StreamKind stream)>;

  LineTagger(LineTaggerOptions options, TagOf tag_of);

  // Appends to `out` the lines that `chunk` finishes.
  void Append(int rank, v1::StreamKind stream, absl::string_view chunk, std::string* out);

  // The stream is over: appends its last line, with a newline if it had none.
  void Flush(int rank, v1::StreamKind stream, std::string* out);

  // Flushes every stream, in order of rank.
  void FlushAll(std::string* out);

 private:
  struct Line {
    std::string tag;
    std::string begun;       // bytes since the last newline
    bool continued = false;  // an earlier piece of this line was given out
    bool shows_controls = false;
  };
  using Key = std::pair<int, v1::StreamKind>;

  void AppendPiece(Line& line, absl::string_view piece, absl::string_view end, std::string* out);
  void FlushLine(Line& line, std::string* out);

  const LineTaggerOptions options_;
  const TagOf tag_of_;
  std::map<Key, Line> lines_;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_LINE_TAGGER_H_
