// How far one stream of one process has been read for one reader, and what comes next.
//
// Ownership:     an OutputReader's.
// Thread-safety: output thread only.
// Blocking:      on the disk.
// Errors:        of Next: as open(2) and pread(2) give them, but for a segment that is not there,
//                which is asked about once and then a gap.
#ifndef SHOAL_AGENT_OUTPUT_OUTPUT_CURSOR_H_
#define SHOAL_AGENT_OUTPUT_OUTPUT_CURSOR_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "agent/output/output_frame.h"
#include "agent/output/output_query.h"
#include "agent/output/segment_reader.h"
#include "agent/output/stream_cuts.h"
#include "agent/output/stream_times.h"
#include "agent/record/record_layout.h"

namespace shoal::agent {

class OutputCursor {
 public:
  OutputCursor(int directory, const OutputUpdate& first, int stream, bool wanted);

  // Takes over how far the stream has come; the first time also where `start` wants to begin. True
  // if it has grown and is wanted.
  bool Take(const OutputUpdate& update, const OutputStart& start);
  // What is not read by now is missing for good.
  void TakeGone();

  // There is something to read before `end`.
  bool HasBytesBefore(int64_t end) const { return wanted_ && !asked_ && offset_ < end; }
  bool HasBytes() const { return HasBytesBefore(state_.end); }
  // The end of a stream that is complete has not been passed on.
  bool OwesEnd() const { return wanted_ && !asked_ && !ended_; }
  int64_t stream_end() const { return state_.end; }

  // When the next byte was read from the process, or the first that is kept; InfinitePast: not known.
  // REQUIRES: HasBytes().
  absl::Time NextTime();
  // REQUIRES: NextTime() was called since the last move. Up to where the next bytes are of that time.
  int64_t EndOfTime() const { return times_.NextOffset(); }
  // Up to where they are of `time` or before, or less.
  int64_t EndOfThoseBy(absl::Time time) const { return times_.OffsetAfter(time); }

  // The next frame, not beyond `up_to`, of at most so many bytes. nullopt: the segment is missing, and the loop is to be
  // asked. REQUIRES: HasBytesBefore(up_to).
  absl::StatusOr<std::optional<OutputFrame>> Next(const OutputUpdate& update, int64_t up_to,
                                                  int64_t most_bytes);
  // The same without reading: a gap, or an OutputSkip.
  absl::StatusOr<std::optional<OutputFrame>> NextGap(const OutputUpdate& update, int64_t up_to);
  OutputFrame End(const OutputUpdate& update) const;

  // A frame of Next or NextGap that goes up to `offset`, or the one of End, was passed on.
  void MoveTo(int64_t offset);
  void SetEnded() { ended_ = true; }

  // The offset behind `frame`.
  static int64_t EndOf(const OutputFrame& frame);

 private:
  void Place(const OutputUpdate& update, const OutputStart& start);
  std::optional<OutputFrame> OnMissing(const OutputUpdate& update);
  OutputFrame GapBefore(const OutputUpdate& update) const;
  OutputFrame Gap(const OutputUpdate& update, int64_t to, OutputGap::Reason reason) const;

  // Constant after construction.
  const int directory_;
  const int stream_;
  const bool wanted_;

  SegmentReader reader_;
  StreamCuts cuts_;
  StreamTimes times_;
  bool placed_ = false;
  bool ended_ = false;
  bool asked_ = false;
  bool unfound_ = false;  // the loop has answered that the segment should be there
  int64_t offset_ = 0;    // next byte to pass on
  record::StreamState state_{};
};

}  // namespace shoal::agent

#endif  // SHOAL_AGENT_OUTPUT_OUTPUT_CURSOR_H_
