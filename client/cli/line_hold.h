// Holds back the last line of each stream until it is whole, so that what comes in between from another stream does not
// stand in the middle of it. No byte is changed.
//
// Ownership:     owns the beginnings of lines that are not finished, at most 64 KiB of each stream.
// Thread-safety: one caller at a time.
// Blocking:      never blocks.
// Errors:        none.
#ifndef SHOAL_CLIENT_CLI_LINE_HOLD_H_
#define SHOAL_CLIENT_CLI_LINE_HOLD_H_

#include <map>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "shoal/v1/process.pb.h"

namespace shoal::cli {

class LineHold {
 public:
  // What may be written now: up to the last newline, or all where a line is longer than 64 KiB.
  std::string Take(const std::string& id, v1::StreamKind stream, absl::string_view chunk);
  // The stream is over, or something is to stand behind its bytes: the rest.
  std::string TakeRest(const std::string& id, v1::StreamKind stream);

 private:
  std::map<std::pair<std::string, v1::StreamKind>, std::string> begun_;  // by id
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_LINE_HOLD_H_
