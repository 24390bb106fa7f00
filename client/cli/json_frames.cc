#include "client/cli/json_frames.h"

#include "absl/strings/str_cat.h"
#include "common/utf8.h"

namespace shoal::cli {
namespace {

JsonLine LineOf(absl::string_view kind, const Subject& subject, v1::StreamKind stream,
                int64_t offset) {
  JsonLine line(kind);
  line.About(subject).Text("stream", v1::StreamKind_Name(stream)).Number("offset", offset);
  return line;
}

}  // namespace

void JsonFrames::Stamp(std::optional<google::protobuf::Timestamp> time) {
  has_times_ = true;
  time_ = std::move(time);
}

void JsonFrames::AddTime(const std::optional<google::protobuf::Timestamp>& time,
                         JsonLine* line) const {
  if (has_times_) line->Object("time", time.has_value() ? &*time : nullptr);
}

JsonLine JsonFrames::DataLine(const Subject& subject, v1::StreamKind stream, int64_t offset,
                              const std::optional<google::protobuf::Timestamp>& time) const {
  JsonLine line = LineOf("output", subject, stream, offset);
  AddTime(time, &line);
  return line;
}

void JsonFrames::Data(const Subject& subject, v1::StreamKind stream, int64_t offset,
                      absl::string_view data, std::string* out) {
  std::string bytes(data);
  std::optional<google::protobuf::Timestamp> time = time_;
  auto begun = begun_.find({subject.id, stream});
  if (begun != begun_.end()) {
    bytes.insert(0, begun->second.bytes);
    offset = begun->second.offset;
    time = begun->second.time;
    begun_.erase(begun);
  }
  const size_t unfinished = UnfinishedUtf8(bytes);
  const size_t whole = bytes.size() - unfinished;
  if (unfinished > 0) {
    const std::optional<google::protobuf::Timestamp>& rest = whole == 0 ? time : time_;
    begun_[{subject.id, stream}] = {offset + static_cast<int64_t>(whole), bytes.substr(whole),
                                    rest};
    bytes.resize(whole);
  }
  if (bytes.empty()) return;
  absl::StrAppend(out, DataLine(subject, stream, offset, time).Text("data", bytes).ToString());
}

void JsonFrames::Gap(const Subject& subject, v1::StreamKind stream, const v1::Gap& gap,
                     std::string* out) {
  Flush(subject, stream, out);
  JsonLine line = LineOf("gap", subject, stream, gap.from());
  AddTime(time_, &line);
  absl::StrAppend(out, line.Fields(gap).ToString());
}

void JsonFrames::End(const Subject& subject, v1::StreamKind stream, int64_t offset,
                     bool is_truncated, std::string* out) {
  Flush(subject, stream, out);
  absl::StrAppend(
      out, LineOf("end", subject, stream, offset).Flag("truncated", is_truncated).ToString());
}

void JsonFrames::Flush(const Subject& subject, v1::StreamKind stream, std::string* out) {
  auto begun = begun_.extract({subject.id, stream});
  if (begun.empty()) return;
  const Begun& rest = begun.mapped();
  absl::StrAppend(
      out, DataLine(subject, stream, rest.offset, rest.time).Text("data", rest.bytes).ToString());
}

}  // namespace shoal::cli
