// Reads and prints what `shoal logs` is about, merged by time; with -f it goes on with what comes, where a glob or labels
// were given also of processes that start later, on every host.
//
// Each host merges its processes. The hosts are merged here, by their clocks, but for what those are known to be wrong by
// (Host::AgentTime). With -f that goes for what was there before; what comes is printed as it comes, from when each host has
// sent something newer than the command or has been silent for a while. A host whose connection is broken is not waited for.
//
// Ownership:     the command's.
// Thread-safety: the main thread's, but for the callbacks of its streams.
// Blocking:      until all was printed; with -f, until the processes have ended.
// Errors:        told on stderr; the exit status.
#ifndef SHOAL_CLIENT_CLI_LOG_READER_H_
#define SHOAL_CLIENT_CLI_LOG_READER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/cli/command.h"
#include "client/cli/log_merge.h"
#include "client/cli/log_printer.h"
#include "client/cli/lookup.h"
#include "common/boot_time.h"
#include "shoal/host/event_queue.h"

namespace shoal::cli {

struct LogsArguments {
  SelectorArguments selector;
  bool follow = false;
  int64_t tail = -1;
  std::string since;
  bool only_stdout = false;
  bool only_stderr = false;
  bool raw = false;
  bool timestamps = false;
  int64_t offset = -1;  // behind the ":" of HOST/ID:offset
};

class LogReader {
 public:
  LogReader(const LogsArguments& arguments, const Selection& selection, const Fleet& fleet,
            Lookup lookup, Invocation& invocation);

  int Run();

 private:
  // One frame of one host's stream, the state of its connection, or its end.
  struct Piece {
    size_t host = 0;
    std::optional<v1::ReadOutputResponse> frame;
    absl::Status status;
    bool is_end = false;
    size_t source = 0;
  };
  using Queue = EventQueue<Piece>;
  using Merge = LogMerge<Queue::Entry>;
  // One stream of frames, of one host.
  struct Source {
    size_t host = 0;
    v1::ReadOutputRequest request;
  };

  // How far a source is with what was there before, with -f.
  struct Past {
    absl::Time end;  // by the clock of its host
    bool is_over = false;
    BootTime silent_since = BootTime::Now();
    bool has_sent = false;
  };

  // Of several hosts, by time.
  bool IsMerging() const {
    return (IsOpen() ? fleet_.hosts().size() : ByHost(lookup_.found).size()) > 1;
  }
  bool IsOpen() const { return arguments_.follow && selection_.IsOpen(); }
  void AskForTheTime() const;
  size_t HostOf(const Host& host) const;
  v1::ReadOutputRequest MakeRequest(size_t host, v1::Selector selector) const;
  std::vector<Source> Sources() const;
  Merge MakeMerge(const std::vector<Source>& sources) const;
  void Subscribe(const std::vector<Source>& sources, Queue* queue);
  // Whether something had been printed there when the processes were looked up.
  bool HasOutput(size_t host) const;
  void Put(Queue::Entry entry, Merge* merge);
  // False: all that was there before is in `merge`, which gives it out without waiting for more.
  bool IsInPast(Merge* merge);
  void TellEntry(const Queue::Entry& entry, Queue* queue);
  void Tell(const Piece& piece);
  void TellFrame(size_t host, const v1::ReadOutputResponse& frame);
  void TellEnd(size_t host, const absl::Status& status);
  std::string HostName(size_t host) const;

  const LogsArguments& arguments_;
  const Selection& selection_;
  const Fleet& fleet_;
  Invocation& invocation_;
  const Lookup lookup_;
  LogPrinter printer_;
  std::set<size_t> failed_;  // hosts that are not asked any more
  std::vector<Past> pasts_;  // by source
  BootTime last_tick_ = BootTime::Now();
  int status_ = 0;
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_LOG_READER_H_
