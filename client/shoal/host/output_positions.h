// How far a reader has come in the output of many processes: where to go on after a broken stream,
// which frames it has had, and what may be acknowledged.
//
// Ownership:     a value, part of one reader.
// Thread-safety: one caller at a time.
#ifndef SHOAL_CLIENT_SHOAL_HOST_OUTPUT_POSITIONS_H_
#define SHOAL_CLIENT_SHOAL_HOST_OUTPUT_POSITIONS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal {

inline constexpr int64_t kAcknowledgeBytes = int64_t{4} << 20;

// How often a reader of such output acknowledges: every 4 MiB, or four times to a smaller cap, at
// which the writer waits for it.
int64_t AcknowledgeBytesFor(const v1::OutputSpec& output);

class OutputPositions {
 public:
  explicit OutputPositions(int64_t acknowledge_bytes = kAcknowledgeBytes)
      : acknowledge_bytes_(acknowledge_bytes) {}

  // Moves past the frame. How many of its first bytes were had before; nothing: all of it was, drop
  // it.
  std::optional<size_t> Advance(const v1::ReadOutputResponse& frame);

  // One past the last byte had.
  int64_t OffsetOf(absl::string_view id, v1::StreamKind stream) const;
  bool HasEnded(absl::string_view id, v1::StreamKind stream) const;

  // Every position, into `resume`; those that the request came with stay where nothing was had yet.
  void WriteResume(v1::ReadOutputRequest* request) const;

  // True, with the position in `request`, when enough of the frame's stream was had since the last
  // time.
  bool TakeDue(const v1::ReadOutputResponse& frame, v1::AcknowledgeOutputRequest* request);

 private:
  struct Position {
    int64_t offset = 0;
    int64_t acknowledged = 0;
    bool has_ended = false;
  };
  using Key = std::pair<std::string, v1::StreamKind>;

  const int64_t acknowledge_bytes_;
  absl::flat_hash_map<Key, Position> positions_;
};

}  // namespace shoal

#endif  // SHOAL_CLIENT_SHOAL_HOST_OUTPUT_POSITIONS_H_
