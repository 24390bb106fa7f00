// Prints frames of output: as they are, line by line behind names, or as JSON; and says where bytes are gone.
//
// Ownership:     the reader's; its Invocation outlives it.
// Thread-safety: main thread only.
// Blocking:      as long as stdout and stderr do.
// Errors:        none; see standard_output.h.
#ifndef SHOAL_CLIENT_CLI_LOG_PRINTER_H_
#define SHOAL_CLIENT_CLI_LOG_PRINTER_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/invocation.h"
#include "client/cli/json_frames.h"
#include "client/cli/line_hold.h"
#include "shoal/line_tagger.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal::cli {

struct LogLook {
  bool tagged = false;         // each line behind the name of its process
  bool several_hosts = false;  // and that of its host
  bool raw = false;            // control characters as they come
  bool timestamps = false;     // each line behind its time
  bool whole_lines = false;    // what is not tagged waits for the end of its line
};

class LogPrinter {
 public:
  LogPrinter(LogLook look, const Invocation& invocation);

  bool Knows(const std::string& id) const { return known_.count(id) > 0; }
  // Before the first frame of the process.
  void Learn(const std::string& host, const v1::Process& process);
  // REQUIRES: Knows(frame.id())
  void Print(const v1::ReadOutputResponse& frame);
  // Twice a second: lines that are not finished are shown.
  void Tick();
  // The rest of what was begun.
  void Finish();
  // Says of each stream of this host that has not ended where to go on.
  void TellPlaces(const std::string& host) const;

  // One past the newest byte that was printed, or past the gap; -1: none was.
  int64_t PositionOf(const std::string& id, v1::StreamKind stream) const;

 private:
  using StreamKey = std::pair<std::string, v1::StreamKind>;  // by id
  struct Known {
    int number = 0;  // by which the tagger knows it
    Subject subject;
  };

  bool IsByLine() const { return look_.tagged || look_.timestamps; }
  void Stamp(const Known& known, const v1::ReadOutputResponse& frame);
  void PrintJson(const Known& known, const v1::ReadOutputResponse& frame);
  void PrintData(const Known& known, const v1::ReadOutputResponse& frame);
  void PrintGap(const Known& known, const v1::ReadOutputResponse& frame);
  void PrintEnd(const Known& known, const v1::ReadOutputResponse& frame);
  void Write(v1::StreamKind stream, absl::string_view bytes);

  const LogLook look_;
  const Invocation& invocation_;
  std::map<std::string, Known> known_;      // by id
  std::vector<std::string> tags_;           // by Known::number
  std::map<StreamKey, int64_t> positions_;  // where each stream is
  std::set<StreamKey> over_;                // streams that have ended
  std::set<std::string> timeless_;          // hosts that were told not to tell times
  JsonFrames frames_;
  LineHold hold_;
  LineTagger tagger_;
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_LOG_PRINTER_H_
