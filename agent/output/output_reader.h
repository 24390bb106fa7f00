// Reads the output of the processes of one reader and pushes it into its sink as frames.
//
// The loop tells how far each stream has come (Tell, coalesced per process); the output thread
// reads up to there and pushes frames of at most 32 or 64 KiB while the sink has room. Processes take
// turns by frame; within one, the streams go in the order in which they were reported. By time, the
// stream goes next whose next byte is the oldest that was told and is not pushed yet.
//
// Ownership:     shared by two real owners: its OutputFollower and the output thread's queue.
// Thread-safety: Tell, TellFinal: any thread. DoSome: output thread only.
// Blocking:      DoSome on the disk.
// Errors:        the sink fails with those of OutputCursor.
// Memory:        one frame; see the sink for what waits there.
#ifndef SHOAL_AGENT_OUTPUT_OUTPUT_READER_H_
#define SHOAL_AGENT_OUTPUT_OUTPUT_READER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "agent/output/output_cursor.h"
#include "agent/output/output_frame.h"
#include "agent/output/output_query.h"
#include "agent/output/output_sink.h"
#include "agent/output/output_thread.h"
#include "common/mutex.h"

namespace shoal::agent {

class OutputReader final : public OutputWork {
 public:
  // `ask(id)` makes the loop tell once more, with `checked` set; called on the output thread.
  OutputReader(int directory, WantedStreams wanted, OutputStart start, OutputForm form,
               std::shared_ptr<OutputSink> sink, absl::AnyInvocable<void(const std::string&)> ask);

  void Tell(OutputUpdate update);
  // Nothing more will be told: the sink closes once everything told is pushed.
  void TellFinal();

  bool DoSome() override;

 private:
  // The least is first: by time and then in the order in which the processes were told, or who waits longest.
  using Turn = std::pair<absl::Time, size_t>;
  struct Source {
    size_t number = 0;
    OutputUpdate last;
    std::vector<OutputCursor> cursors;          // by stream
    std::deque<std::pair<int, int64_t>> order;  // (stream, reported up to)
    std::optional<Turn> turn;                   // its key in turns_
  };

  void TakeMail();
  void Take(const OutputUpdate& update);
  void TakeStream(Source* source, int stream);
  void TakeTurn(Source* source);
  absl::Time OldestOf(Source* source);
  OutputCursor* ChooseCursor(Source* source, int64_t* up_to);
  OutputCursor* ChooseOldest(Source* source, int64_t* up_to);
  bool PushSome();  // true: there is more to do
  // False: the sink takes nothing now.
  bool PushOne(Source* source);
  bool PushBytes(Source* source, OutputCursor* cursor, int64_t up_to);
  bool PushEnd(Source* source);

  // Constant after construction.
  const int directory_;
  const WantedStreams wanted_;
  const OutputStart start_;
  const OutputForm form_;
  const std::shared_ptr<OutputSink> sink_;
  absl::AnyInvocable<void(const std::string&)> ask_;

  Mutex mu_;
  std::vector<std::string> mail_order_ ABSL_GUARDED_BY(mu_);
  absl::flat_hash_map<std::string, OutputUpdate> mail_ ABSL_GUARDED_BY(mu_);
  bool mail_final_ ABSL_GUARDED_BY(mu_) = false;

  // Output thread only.
  absl::flat_hash_map<std::string, std::unique_ptr<Source>> sources_;
  std::map<Turn, Source*> turns_;           // sources with something to push
  size_t turn_count_ = 0;                   // of those that were given without a time
  absl::flat_hash_set<std::string> asked_;  // ids whose answer is to come
  bool final_ = false;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OUTPUT_OUTPUT_READER_H_
