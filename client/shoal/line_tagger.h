// Turns the chunks of many processes' output into whole lines, each with its tag before it.
//
// A line is never torn: it is given out when its newline has come, or the carriage return by which a program writes its
// line anew, or with Flush(), or when it grew to `max_line_bytes` or Tick() finds it old; then it ends in the continuation
// mark, and its next piece begins with one. No UTF-8 character is cut so. Behind a lone carriage return a newline is
// put, so that how the chunks are cut does not show.
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

  // Lines of this rank and stream that begin from now on have `text`, such as a time, before their tag; so has what is
  // inserted.
  void Stamp(int rank, v1::StreamKind stream, std::string text);

  // Appends to `out` the lines that `chunk` finishes.
  void Append(int rank, v1::StreamKind stream, absl::string_view chunk, std::string* out);

  // To be called twice a second: appends what was begun before the last call in this stream of some rank, such as a
  // question that waits for its answer, with the continuation mark.
  void Tick(v1::StreamKind stream, std::string* out);

  // A line that is ours, at this place of the stream: what was begun before it is given out with the continuation mark,
  // and goes on with one.
  void Insert(int rank, v1::StreamKind stream, absl::string_view line, std::string* out);

  // The stream is over: appends its last line, with a newline if it had none.
  void Flush(int rank, v1::StreamKind stream, std::string* out);

  // Flushes every stream, in order of rank.
  void FlushAll(std::string* out);

 private:
  struct Line {
    std::string tag;
    std::string stamp;  // of the next line
    std::string begun_stamp;
    std::string begun;       // bytes since the last newline
    bool continued = false;  // an earlier piece of this line was given out
    bool shows_controls = false;
    bool ended_in_return = false;  // a newline that comes next belongs to it
    int ticks = 0;                 // since something was begun
  };
  using Key = std::pair<int, v1::StreamKind>;

  Line& Find(int rank, v1::StreamKind stream);
  void AppendPiece(Line& line, absl::string_view piece, absl::string_view end, std::string* out);
  // What was begun, but for the bytes of a character that is not whole.
  void GiveOutBegun(Line& line, std::string* out);
  void FlushLine(Line& line, std::string* out);

  const LineTaggerOptions options_;
  const TagOf tag_of_;
  std::map<Key, Line> lines_;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_LINE_TAGGER_H_
