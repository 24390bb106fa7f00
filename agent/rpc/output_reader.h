// Reads the output of the processes of one ReadOutput call and pushes it as frames.
//
// The loop tells how far each stream has come (Update, coalesced per process); the output thread
// reads up to there and pushes frames of at most 64 KiB while the stream has room. Processes take
// turns by frame; within one, the streams go in the order in which they were reported.
//
// Ownership:     shared by two real owners: the call (its OutputStream and hooks) and the output
//                thread's queue.
// Thread-safety: Tell, TellFinal: any thread. DoSome: output thread only.
// Memory:        one frame queued and one being written, per call.
#ifndef SHOAL_AGENT_RPC_OUTPUT_READER_H_
#define SHOAL_AGENT_RPC_OUTPUT_READER_H_

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "agent/os/segment_reader.h"
#include "agent/record/record_layout.h"
#include "agent/rpc/output_thread.h"
#include "agent/rpc/stream_reactor.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal::agent {

// Where the streams of processes that were there at the beginning are read from.
struct OutputStart {
  enum class From { kOffset, kTailBytes, kTailLines, kSince };
  From from = From::kOffset;
  int64_t number = 0;  // offset, bytes or lines
  absl::Time since;
  absl::flat_hash_map<std::pair<std::string, int>, int64_t> resume;  // by id and stream
};

// What the loop knows of one process's output.
struct OutputUpdate {
  std::string id;
  std::array<record::StreamState, record::kStreams> streams{};
  int64_t segment_bytes = 0;
  absl::Time started;  // execve; what was written just then is not in the time index
  std::array<bool, record::kStreams> has{};  // the streams that there are
  bool complete = false;                     // the ends will not move any more
  bool truncated = false;
  bool drops_oldest = false;
  bool is_new = false;   // came after the call began: read from its first byte
  bool checked = false;  // the answer to a question about a missing segment
  bool gone = false;     // deleted, its files with it; the other fields say nothing
};

class OutputReader final : public OutputWork {
 public:
  using Stream = StreamReactor<v1::ReadOutputResponse>;
  // `ask(id)` makes the loop tell once more, with `checked` set; called on the output thread.
  OutputReader(int directory, std::array<bool, record::kStreams> wanted, OutputStart start,
               std::shared_ptr<Stream> stream, absl::AnyInvocable<void(const std::string&)> ask);

  void Tell(OutputUpdate update);
  // Nothing more will be told: the stream closes once everything told is pushed.
  void TellFinal();

  bool DoSome() override;

 private:
  struct Cursor {
    Cursor(int directory, const std::string& id, int stream, int64_t segment_bytes)
        : reader(directory, id, stream, segment_bytes) {}
    SegmentReader reader;
    bool wanted = false;
    bool placed = false;
    bool ended = false;    // the end frame is pushed
    bool asked = false;    // its segment is missing; the loop was asked what became of it
    bool unfound = false;  // and has answered that it should be there
    int64_t offset = 0;    // next byte to push
    record::StreamState state{};
  };
  struct Source {
    std::string id;
    OutputUpdate last;
    std::vector<Cursor> cursors;                // by stream
    std::deque<std::pair<int, int64_t>> order;  // (stream, reported up to)
    bool in_turn = false;
  };
  // What came of one attempt to push.
  enum class Step { kPushed, kIdle, kFull };

  void TakeMail();
  void Take(const OutputUpdate& update);
  void TakeGone(Source* source);
  void TakeStream(Source* source, int stream, bool is_first);
  void TakeTurn(Source* source);
  void Place(Source* source, int stream);
  bool IsReady(const Source& source) const;
  int ChooseStream(Source* source, int64_t* up_to);
  Step PushOne(Source* source);
  Step PushData(Source* source, int stream, int64_t up_to);
  Step PushGap(Source* source, int stream, int64_t to, v1::Gap::Reason reason);
  Step PushEnd(Source* source, int stream);
  Step OnMissing(Source* source, int stream);
  Step Push(v1::ReadOutputResponse&& frame);
  v1::ReadOutputResponse FrameOf(const Source& source, int stream) const;

  // Constant after construction.
  const int directory_;
  const std::array<bool, record::kStreams> wanted_;
  const OutputStart start_;
  const std::shared_ptr<Stream> stream_;
  absl::AnyInvocable<void(const std::string&)> ask_;

  absl::Mutex mu_;
  std::vector<std::string> mail_order_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, OutputUpdate> mail_ ABSL_GUARDED_BY(mu_);
  bool mail_final_ ABSL_GUARDED_BY(mu_) = false;

  // Output thread only.
  absl::flat_hash_map<std::string, std::unique_ptr<Source>> sources_;
  std::deque<Source*> turns_;  // sources with something to push
  bool final_ = false;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_RPC_OUTPUT_READER_H_
