// One reader of output as the loop sees it: which processes are followed, and when the last byte is
// told.
//
//  1. Begin      posts Subscribe.
//  2. Subscribe  selects, in slices, checks offsets, tells the reader of every process (Follow); without `follow`
//                that is all. With it each is followed by its id, and an open selector for what
//                is started later.
//  3. OnOutput, OnChanged  tell the reader how far the streams have come.
//  4. OnTurnEnd  wakes the output thread, if there is something to read. Before that MaybeEnd tells
//                the reader if nothing more will come: every process named has complete output, or
//                the session is over.
//  5. Stop       posted when the sink is through.
//
// Ownership:     shared by two real owners: what it reads for, until Stop, and closures on the
//                loop.
// Thread-safety: loop thread only, but for Create, Begin, OnRoom and Stop.
// Blocking:      never blocks.
// Errors:        the sink fails with those of Supervisor::Select, and OUT_OF_RANGE for an offset
//                beyond an end.
#ifndef SHOAL_AGENT_OUTPUT_OUTPUT_FOLLOWER_H_
#define SHOAL_AGENT_OUTPUT_OUTPUT_FOLLOWER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "agent/core/process_observer.h"
#include "agent/core/supervisor.h"
#include "agent/loop/event_loop.h"
#include "agent/loop/fair_queue.h"
#include "agent/output/large_frames.h"
#include "agent/output/output_query.h"
#include "agent/output/output_reader.h"
#include "agent/output/output_sink.h"
#include "agent/output/output_thread.h"

namespace shoal::agent {

// Where output comes from. Owns nothing; outlives the followers.
struct OutputSource {
  EventLoop* loop = nullptr;
  FairQueue* turns = nullptr;        // in front of the loop
  Supervisor* supervisor = nullptr;  // for closures on `loop` only
  OutputThread* thread = nullptr;
  int directory = -1;  // SystemOutputFiles::directory()
};

class OutputFollower final : public ProcessObserver,
                             public std::enable_shared_from_this<OutputFollower> {
 public:
  static std::shared_ptr<OutputFollower> Create(const OutputSource* source, OutputQuery query,
                                                std::shared_ptr<OutputSink> sink);
  void Begin();
  // The sink has room again.
  void OnRoom();
  // The sink takes nothing any more.
  void Stop();

  void OnChanged(const ProcessEntry& process) override;
  void OnDeleted(const std::string& id, int64_t revision) override;
  void OnOutput(const ProcessEntry& process) override;
  void OnSessionOver(const std::string& session_id) override;
  void OnTurnEnd() override;

 private:
  OutputFollower(const OutputSource* source, OutputQuery query, std::shared_ptr<OutputSink> sink);
  void Subscribe();
  void Follow(const std::vector<const ProcessEntry*>& selected);
  // OUT_OF_RANGE beyond an end.
  absl::Status CheckOffsets(const std::vector<const ProcessEntry*>& selected) const;
  void Tell(const ProcessEntry& process, bool is_new, bool checked);
  void TellGone(const std::string& id);
  void Answer(const std::string& id);
  void MaybeEnd();
  void Wake();

  // Constant after construction.
  const OutputSource* const source_;
  const OutputQuery query_;
  const std::shared_ptr<OutputSink> sink_;
  std::unique_ptr<LargeFrames::Lease> large_frames_;  // null: it has none
  std::shared_ptr<OutputReader> reader_;              // made with a weak reference to this

  // Loop thread only.
  bool told_final_ = false;
  bool has_news_ = false;  // the reader was told something that it is to act upon
  bool session_over_ = false;
  absl::flat_hash_map<std::string, bool> followed_;  // by id: its output is complete
  size_t incomplete_ = 0;
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OUTPUT_OUTPUT_FOLLOWER_H_
