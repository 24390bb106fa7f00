// What processes print as lines of JSON, of kind "output", "gap" and "end".
//
// Where a piece ends within a UTF-8 character, its bytes wait for the next one, so that text stays text.
//
// Ownership:     owns up to three bytes of each stream.
// Thread-safety: one caller at a time.
// Blocking:      never blocks.
#ifndef SHOAL_CLIENT_CLI_JSON_FRAMES_H_
#define SHOAL_CLIENT_CLI_JSON_FRAMES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "client/cli/json.h"
#include "google/protobuf/timestamp.pb.h"
#include "shoal/v1/process_service.pb.h"

namespace shoal::cli {

class JsonFrames {
 public:
  // Bytes and gaps that come from now on have a `time`; null: it is not known.
  void Stamp(std::optional<google::protobuf::Timestamp> time);
  // Each appends its lines to `out`.
  void Data(const Subject& subject, v1::StreamKind stream, int64_t offset, absl::string_view data,
            std::string* out);
  void Gap(const Subject& subject, v1::StreamKind stream, const v1::Gap& gap, std::string* out);
  void End(const Subject& subject, v1::StreamKind stream, int64_t offset, bool is_truncated,
           std::string* out);
  // Nothing more of this stream will come: the bytes that still wait.
  void Flush(const Subject& subject, v1::StreamKind stream, std::string* out);

 private:
  struct Begun {
    int64_t offset = 0;
    std::string bytes;
    std::optional<google::protobuf::Timestamp> time;
  };
  // One of bytes, without them.
  JsonLine DataLine(const Subject& subject, v1::StreamKind stream, int64_t offset,
                    const std::optional<google::protobuf::Timestamp>& time) const;
  void AddTime(const std::optional<google::protobuf::Timestamp>& time, JsonLine* line) const;

  bool has_times_ = false;
  std::optional<google::protobuf::Timestamp> time_;
  std::map<std::pair<std::string, v1::StreamKind>, Begun> begun_;  // by id
};

}  // namespace shoal::cli

#endif  // SHOAL_CLIENT_CLI_JSON_FRAMES_H_
